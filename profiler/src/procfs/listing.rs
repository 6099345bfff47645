//! Which processes there are.

use std::{fs, io};

use crate::model::Tgid;

/// Every process that /proc lists now, in its order. Kernel threads are among them.
///
/// # Errors
/// When /proc cannot be read.
pub fn tgids() -> io::Result<Vec<Tgid>> {
    let mut tgids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        // Other entries have a letter.
        if let Some(tgid) = name.to_str().and_then(|name| name.parse().ok()) {
            tgids.push(Tgid(tgid));
        }
    }
    Ok(tgids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_init_are_listed() {
        let tgids = tgids().unwrap();
        assert!(tgids.contains(&Tgid(1)));
        assert!(tgids.contains(&Tgid(std::process::id())));
    }
}
