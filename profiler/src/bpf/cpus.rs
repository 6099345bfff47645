//! Which CPUs are online.

use std::{collections::BTreeSet, fs};

use super::LoadError;

const ONLINE: &str = "/sys/devices/system/cpu/online";
/// More CPUs than any kernel has (`CONFIG_NR_CPUS` ends at 8,192).
const MAX_CPUS: u32 = 65_536;

/// The CPUs that are online now.
pub(super) fn online() -> Result<BTreeSet<u32>, LoadError> {
    let cannot = |source| LoadError::Cpus {
        path: ONLINE,
        source,
    };
    let text = fs::read_to_string(ONLINE).map_err(cannot)?;
    parse(&text).ok_or_else(|| cannot(std::io::ErrorKind::InvalidData.into()))
}

/// Parses the kernel's list form, `0-3,5`.
fn parse(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MAX_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_of_ranges() {
        let cpus = |text| parse(text).map(|cpus| cpus.into_iter().collect::<Vec<_>>());
        assert_eq!(cpus("0\n"), Some(vec![0]));
        assert_eq!(cpus("0-2,5,7-8\n"), Some(vec![0, 1, 2, 5, 7, 8]));
        assert_eq!(cpus("0-99999999"), None);
        assert_eq!(cpus(""), None);
        assert_eq!(cpus("a-b"), None);
    }
}
