//! The order in which the addresses of a host are tried.

use std::net::SocketAddr;

/// The addresses with IPv6 and IPv4 in turns, beginning with the family of the first (RFC 8305
/// section 4): where one family leads nowhere, the other's turn comes soon.
pub fn in_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let first_is_v6 = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut turns = Vec::new();
    for address in first {
        turns.push(address);
        turns.extend(second.next());
    }
    turns.extend(second);
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter()
                .map(|text| text.parse().unwrap_or_else(|_| panic!("{text}")))
                .collect()
        };
        let turns = in_turns(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        assert_eq!(
            turns,
            parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
        );
        let turns = in_turns(parse(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(turns, parse(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]));
        assert_eq!(in_turns(Vec::new()), Vec::new());
    }
}
