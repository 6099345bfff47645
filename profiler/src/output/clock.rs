//! Times as people read them: local, by the host's time zone.

use std::time::SystemTime;

use jiff::{Timestamp, Zoned, tz::TimeZone};

/// `2026-11-22 21:50:00 +0100`.
pub fn readable(time: SystemTime) -> String {
    local(time).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
}

/// `2026-11-22T21-50-00`: for file names, so without colons.
pub fn for_file_name(time: SystemTime) -> String {
    local(time).strftime("%Y-%m-%dT%H-%M-%S").to_string()
}

/// A time that no calendar has (hundreds of thousands of years away) becomes 1970.
fn local(time: SystemTime) -> Zoned {
    Timestamp::try_from(time)
        .unwrap_or_default()
        .to_zoned(TimeZone::system())
}
