//! Stdin and stdout, each on a thread of its own, as reading and writing them blocks.

use std::io::{self, BufRead, Read, Write};
use tokio::sync::{mpsc, oneshot};

/// Pieces that may wait between a thread and the rest.
const WAITING: usize = 64;
/// The longest piece of binary input.
const CHUNK: usize = 16 * 1024;

/// A piece of stdin. Its end is the end of the channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A line, without its end.
    Line(String),
    /// Bytes as they came.
    Chunk(Vec<u8>),
    /// The line with this number, from 1, is not UTF-8. Nothing follows.
    NotText(u64),
    /// Stdin can't be read. Nothing follows.
    Failed(String),
}

/// Reads stdin to its end: in chunks, or by lines.
pub(crate) fn stdin(binary: bool) -> mpsc::Receiver<Input> {
    let (tell, pieces) = mpsc::channel(WAITING);
    // Nobody joins it: it may stand in a read that never ends, and ends with the process.
    std::thread::spawn(move || {
        let input = io::stdin().lock();
        let ended = if binary {
            chunks(input, &tell)
        } else {
            lines(input, &tell)
        };
        if let Err(error) = ended {
            let _ = tell.blocking_send(Input::Failed(error.to_string()));
        }
    });
    pieces
}

fn chunks(mut input: impl Read, tell: &mpsc::Sender<Input>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let chunk = buffer.iter().take(count).copied().collect();
                if tell.blocking_send(Input::Chunk(chunk)).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn lines(mut input: impl BufRead, tell: &mpsc::Sender<Input>) -> io::Result<()> {
    for number in 1.. {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        let text = String::from_utf8(line);
        let wrong = text.is_err();
        let piece = text.map_or(Input::NotText(number), Input::Line);
        if tell.blocking_send(piece).is_err() || wrong {
            break;
        }
    }
    Ok(())
}

/// The way to stdout. Once stdout is closed, sending fails.
pub(crate) struct Output {
    pub(crate) pieces: mpsc::Sender<Vec<u8>>,
    written: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Starts to write.
    pub(crate) fn start() -> Self {
        let (pieces, take) = mpsc::channel(WAITING);
        let (done, written) = oneshot::channel();
        std::thread::spawn(move || done.send(write(io::stdout().lock(), take)));
        Self { pieces, written }
    }

    /// Waits until everything is written. That stdout was closed is no error: whoever reads it
    /// has enough.
    pub(crate) async fn finish(self) -> io::Result<()> {
        drop(self.pieces);
        match self.written.await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

fn write(mut output: impl Write, mut pieces: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(piece) = pieces.blocking_recv() {
        output.write_all(&piece)?;
        if pieces.is_empty() {
            output.flush()?;
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], read: fn(&[u8], &mpsc::Sender<Input>) -> io::Result<()>) -> Vec<Input> {
        let (tell, mut pieces) = mpsc::channel(WAITING);
        read(input, &tell).unwrap();
        drop(tell);
        std::iter::from_fn(|| pieces.blocking_recv()).collect()
    }

    #[test]
    fn lines_end_with_either_end_or_none() {
        let line = |text: &str| Input::Line(text.to_owned());
        let pieces = read(b"a\r\n\nc d\n e", |input, tell| lines(input, tell));
        assert_eq!(pieces, [line("a"), line(""), line("c d"), line(" e")]);
    }

    #[test]
    fn a_line_that_is_no_text_is_the_last() {
        let pieces = read(b"a\n\xff\nb\n", |input, tell| lines(input, tell));
        assert_eq!(pieces, [Input::Line("a".to_owned()), Input::NotText(2)]);
    }

    #[test]
    fn chunks_lose_nothing() {
        let input: Vec<u8> = (0..CHUNK + 7).map(|n| n.to_le_bytes()[0]).collect();
        let pieces = read(&input, |input, tell| chunks(input, tell));
        assert_eq!(pieces.len(), 2);
        let all = pieces.into_iter().flat_map(|piece| match piece {
            Input::Chunk(chunk) => chunk,
            other => panic!("{other:?}"),
        });
        assert_eq!(all.collect::<Vec<_>>(), input);
    }
}
