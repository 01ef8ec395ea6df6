//! A disk which forgets what was not synced, and stops working at a chosen operation.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use redial_store::Disk;

/// What a disk does not do though it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lies {
    pub(crate) sync: bool,
    pub(crate) sync_draft: bool,
    pub(crate) sync_dir: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How much of it a power cut leaves for certain.
    safe: usize,
    /// Where the last write began.
    last: usize,
}

#[derive(Clone, Debug, Default)]
struct World {
    log: Option<Content>,
    draft: Option<Content>,
    /// What the name has meant since the directory was last synced, other than now.
    before: Vec<Option<Content>>,
    aside: Vec<Vec<u8>>,
    operations: usize,
    /// The operation in whose midst everything ends.
    cut: Option<usize>,
    /// Everything ended in the midst of a write to the log.
    torn: bool,
    lies: Lies,
}

/// A handle of a simulated disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimDisk(Rc<RefCell<World>>);

/// How everything ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process was killed: what it wrote is there.
    Kill,
    /// The power was cut: what it synced is there.
    Power,
}

impl SimDisk {
    pub(crate) fn holding(file: Option<Vec<u8>>, cut: Option<usize>, lies: Lies) -> Self {
        let log = file.map(|bytes| Content {
            safe: bytes.len(),
            last: bytes.len(),
            bytes,
        });
        Self(Rc::new(RefCell::new(World {
            log,
            cut,
            lies,
            ..World::default()
        })))
    }

    pub(crate) fn operations(&self) -> usize {
        self.0.borrow().operations
    }

    pub(crate) fn aside(&self) -> Vec<Vec<u8>> {
        self.0.borrow().aside.clone()
    }

    pub(crate) fn file(&self) -> Option<Vec<u8>> {
        self.0.borrow().log.as_ref().map(|log| log.bytes.clone())
    }

    /// Every file that may be found after such an end: for each name that may stand, several
    /// prefixes of what is not safe.
    pub(crate) fn survivors(&self, end: End) -> Vec<Option<Vec<u8>>> {
        let world = self.0.borrow();
        let mut named = vec![world.log.clone()];
        if end == End::Power {
            named.extend(world.before.iter().cloned());
        }
        let mut found = Vec::new();
        for content in named {
            let Some(content) = content else {
                found.push(None);
                continue;
            };
            let whole = content.bytes.len();
            let from = match end {
                End::Power => content.safe,
                End::Kill => content.last.min(whole),
            };
            let mut lengths = vec![from, from + 1, from + (whole - from) / 2];
            lengths.extend([from + (whole - from) / 3, whole.saturating_sub(1), whole]);
            if end == End::Kill && !world.torn {
                lengths = vec![whole];
            }
            lengths.retain(|length| (from..=whole).contains(length));
            lengths.sort_unstable();
            lengths.dedup();
            found.extend(
                lengths
                    .into_iter()
                    .map(|length| Some(content.bytes[..length].to_vec())),
            );
        }
        found
    }
}

impl World {
    /// Counts an operation; an error if everything ends in it.
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.cut {
            Some(cut) if self.operations >= cut => Err(io::Error::other("cut")),
            _ => Ok(()),
        }
    }
}

fn write(content: &mut Content, bytes: &[u8]) {
    content.last = content.bytes.len();
    content.bytes.extend_from_slice(bytes);
}

impl Disk for SimDisk {
    fn read_all(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.file())
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let world = self.0.borrow();
        let log = world.log.as_ref().expect("a file");
        let at = usize::try_from(at).expect("small");
        into.copy_from_slice(&log.bytes[at..at + into.len()]);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let dead = world.cut.is_some_and(|cut| world.operations >= cut);
        let result = world.operate();
        if !dead {
            world.torn = result.is_err();
            write(world.log.as_mut().expect("a file"), bytes);
        }
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        if !world.lies.sync {
            let log = world.log.as_mut().expect("a file");
            log.safe = log.bytes.len();
        }
        Ok(())
    }

    fn draft(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        world.draft = Some(Content::default());
        Ok(())
    }

    fn append_draft(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        write(world.draft.as_mut().expect("a draft"), bytes);
        Ok(())
    }

    fn sync_draft(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        if !world.lies.sync_draft {
            let draft = world.draft.as_mut().expect("a draft");
            draft.safe = draft.bytes.len();
        }
        Ok(())
    }

    fn publish(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        let draft = world.draft.take();
        let old = std::mem::replace(&mut world.log, draft);
        world.before.push(old);
        Ok(())
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        if !world.lies.sync_dir {
            world.before.clear();
        }
        Ok(())
    }

    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf> {
        let mut world = self.0.borrow_mut();
        world.operate()?;
        world.aside.push(bytes.to_vec());
        Ok(PathBuf::from("aside"))
    }
}
