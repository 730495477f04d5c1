//! Who is at the other end of a connection on this machine.

use std::net::SocketAddr;

/// The id of the user who connects from this address of 127.0.0.1; `None` if the system does not show it.
pub fn user_of(peer: SocketAddr) -> Option<u32> {
    let SocketAddr::V4(peer) = peer else { return None };
    // The kernel writes the address as a number in its own byte order.
    let address = format!("{:08X}:{:04X}", u32::from_ne_bytes(peer.ip().octets()), peer.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.nth(1)? == address).then_some(())?;
        fields.nth(5)?.parse().ok()
    })
}

/// The name of a user, if the system's list of users has it.
pub fn name_of(user: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user.to_string()).then(|| name.to_owned())
    })
}

/// Whether a connection comes from the user of this process, or from root. True where the system does not show it.
pub fn is_this_user(peer: SocketAddr) -> bool {
    user_of(peer).is_none_or(|user| user == 0 || user == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = listener.accept().unwrap();
        assert_eq!(user_of(peer), Some(rustix::process::geteuid().as_raw()));
        assert!(is_this_user(peer));
        assert_eq!(name_of(0).as_deref(), Some("root"));
    }

    #[test]
    fn another_user_is_recognized() {
        use std::os::unix::process::CommandExt as _;
        if !rustix::process::geteuid().is_root() {
            return pipectl_core::testing::cannot_run(
                "root",
                "only root can connect as another user",
                "run it as root",
            );
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r line <&3");
        let mut child =
            std::process::Command::new("bash").args(["-c", &script]).uid(54_321).gid(54_321).spawn().unwrap();
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(user_of(peer), Some(54_321));
        assert!(!is_this_user(peer));
        drop(server);
        child.wait().unwrap();
    }
}
