//! Is one file a Python, and which.

use std::fs::File;

use object::{LittleEndian as LE, U64, read::elf::SectionHeader as _};

use super::{
    ElfError, PythonModule, Version,
    image::{Image, Pieces, WRITABLE},
    symbols::{dynamic_symbol, static_symbol},
    version,
};

/// First bytes of `_Py_DebugOffsets` (`Include/internal/pycore_debug_offsets.h`).
const COOKIE: &[u8; 8] = b"xdebugpy";
/// Cookie, version, free-threaded: 8 bytes each.
const COOKIE_HEADER_BYTES: usize = 24;
/// First minor version that has debug offsets: what states an older one is no cookie.
const FIRST_WITH_COOKIE: u8 = 13;
/// Bytes kept of the debug offsets: 888 on 3.15.
const MAX_DEBUG_OFFSETS_BYTES: u64 = 4096;

/// The Python in an ELF file, or `None` if it is no Python, or no ELF file for x86-64. Costs
/// some ten reads for a file that is none, plus a look through its writable data and, if it was
/// not stripped, the names of its symbols.
///
/// # Errors
/// When the file cannot be read, its program headers are damaged, or it is a Python whose
/// version cannot be told.
pub fn python_module(file: &File) -> Result<Option<PythonModule>, ElfError> {
    let pieces = Pieces::new(file)?;
    let Some(image) = Image::new(&pieces)? else {
        return Ok(None);
    };
    let Some(runtime_svma) = find_runtime(&image)? else {
        return Ok(None);
    };
    let debug_offsets = image.bytes_at(runtime_svma, MAX_DEBUG_OFFSETS_BYTES);
    let debug_offsets = debug_offsets.filter(|bytes| cookie_version(bytes).is_some());
    let version = find_version(&image, debug_offsets)?;
    let is_fixed = image.is_fixed();
    Ok(Some(PythonModule {
        runtime_svma,
        version,
        debug_offsets: debug_offsets.map(<[u8]>::to_vec),
        segments: image.segments,
        is_fixed,
    }))
}

/// Address of `_PyRuntime`. The dynamic symbol table first: nearly every Python exports it for
/// its extension modules. The section exists since 3.10 and survives strip; the cookie is all
/// that is left of a 3.13+ without section table; the full symbol table knows older ones.
fn find_runtime(image: &Image<'_>) -> Result<Option<u64>, ElfError> {
    const NAME: &[u8] = b"_PyRuntime";
    if let Some(address) = dynamic_symbol(image, NAME) {
        return Ok(Some(address));
    }
    if let Some(section) = image.section_named(b".PyRuntime") {
        return Ok(Some(section.sh_addr(LE)));
    }
    if let Some(address) = find_cookie(image)? {
        return Ok(Some(address));
    }
    static_symbol(image, NAME)
}

/// Address of the first valid cookie in writable data.
fn find_cookie(image: &Image<'_>) -> Result<Option<u64>, ElfError> {
    image.scan(WRITABLE, COOKIE_HEADER_BYTES, |bytes, svma| {
        // The compiler aligns it to 8, whatever the segment starts at.
        let first = (8 - svma % 8) % 8;
        let aligned = bytes.get(usize::try_from(first).ok()?..)?;
        let mut words = aligned.as_chunks::<8>().0.iter().enumerate();
        words.find_map(|(n, word)| {
            let found = word == COOKIE && cookie_version(aligned.get(n * 8..)?).is_some();
            found.then_some(svma.wrapping_add(first).wrapping_add(n as u64 * 8))
        })
    })
}

/// The version behind a cookie, if there is one and it is such a version. Any program that looks
/// for cookies has one in its data, too.
fn cookie_version(bytes: &[u8]) -> Option<Version> {
    let rest = bytes.strip_prefix(COOKIE)?;
    let (version, rest) = rest.split_first_chunk()?;
    let free_threaded = u64::from_le_bytes(*rest.first_chunk()?);
    let version = Version::from_hex(u64::from_le_bytes(*version))?;
    (version.minor >= FIRST_WITH_COOKIE && free_threaded <= 1).then_some(version)
}

/// The version: from the debug offsets (3.13+), else from `Py_Version` (3.11+), else from texts.
fn find_version(image: &Image<'_>, debug_offsets: Option<&[u8]>) -> Result<Version, ElfError> {
    const NAME: &[u8] = b"Py_Version";
    let of_cookie = debug_offsets.and_then(cookie_version);
    let address = match dynamic_symbol(image, NAME) {
        None if of_cookie.is_none() => static_symbol(image, NAME)?,
        address => address,
    };
    let of_symbol = address.and_then(|address| {
        let stored: &U64<LE> = image.value_at(address)?;
        Version::from_hex(stored.get(LE))
    });
    match (of_cookie, of_symbol) {
        (Some(one), Some(other)) if one != other => Err(ElfError::VersionsDisagree { one, other }),
        (Some(version), _) | (None, Some(version)) => Ok(version),
        (None, None) => version::from_texts(image),
    }
}

#[cfg(test)]
mod tests;
