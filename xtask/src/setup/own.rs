//! Under sudo the cache is the invoking user's, so what root made in it is given to them.

use std::{fs, os::unix::fs::lchown, path::Path};

use xtask::cache::SudoUser;

use crate::exec::say;

/// Gives the folder and all in it to the user who called sudo. Does nothing without sudo.
pub(super) fn give_back(folder: &Path) {
    let Some(user) = SudoUser::detect() else {
        return;
    };
    if let Err(error) = give(folder, &user) {
        say(&format!(
            "cannot give {} to user {}: {error}",
            folder.display(),
            user.uid
        ));
    }
}

fn give(path: &Path, user: &SudoUser) -> std::io::Result<()> {
    lchown(path, Some(user.uid), Some(user.gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
