//! Looks up one defined symbol: by the hash tables that the dynamic linker uses, a handful of
//! small reads, or in the full symbol table, by looking for the name in its strings first.

use object::{
    LittleEndian as LE, U32, U64,
    elf::{self, Sym64},
    pod,
    read::elf::{Dyn as _, SectionHeader as _, Sym as _},
};

use super::{ElfError, image::Image};

/// Symbols of one hash bucket that are looked at; linkers make buckets of 1 to 4 symbols.
const MAX_CHAIN: u64 = 4096;
/// Places in the strings at which a name may start; one in a sane file.
const MAX_NAMES: usize = 64;
const SYMBOL_BYTES: usize = size_of::<Sym64<LE>>();

/// Address of a symbol that the dynamic symbol table defines (importing is not defining).
pub(super) fn dynamic_symbol(image: &Image<'_>, name: &[u8]) -> Option<u64> {
    let mut table = DynamicTable::default();
    for entry in image.dynamic_table()? {
        match entry.d_tag(LE) {
            elf::DT_NULL => break,
            elf::DT_GNU_HASH => table.gnu_hash = Some(entry.d_val(LE)),
            elf::DT_HASH => table.hash = Some(entry.d_val(LE)),
            elf::DT_SYMTAB => table.symbols = entry.d_val(LE),
            elf::DT_STRTAB => table.strings = entry.d_val(LE),
            _ => {}
        }
    }
    match (table.gnu_hash, table.hash) {
        (Some(hash), _) => table.by_gnu_hash(image, hash, name),
        (None, Some(hash)) => table.by_hash(image, hash, name),
        (None, None) => None,
    }
}

/// Addresses of the parts of a dynamic symbol table.
#[derive(Default)]
struct DynamicTable {
    gnu_hash: Option<u64>,
    hash: Option<u64>,
    symbols: u64,
    strings: u64,
}

impl DynamicTable {
    /// A Bloom filter of 64-bit words, buckets with the index of their first symbol, and for
    /// each symbol its hash, the lowest bit being set on the bucket's last.
    fn by_gnu_hash(&self, image: &Image<'_>, table: u64, name: &[u8]) -> Option<u64> {
        let header: &[U32<LE>; 4] = image.value_at(table)?;
        let [n_buckets, first_hashed, n_filters, shift] =
            header.map(|word| u64::from(word.get(LE)));
        let hash = u64::from(elf::gnu_hash(name));
        let filters = table.checked_add(16)?;
        let filter =
            word_at::<U64<LE>>(image, filters, (hash / 64).checked_rem(n_filters)?)?.get(LE);
        let second = hash.checked_shr(u32::try_from(shift).ok()?).unwrap_or(0);
        if filter >> (hash % 64) & filter >> (second % 64) & 1 == 0 {
            return None;
        }
        let buckets = filters.checked_add(n_filters * 8)?;
        let chains = buckets.checked_add(n_buckets * 4)?;
        let first = word_at::<U32<LE>>(image, buckets, hash.checked_rem(n_buckets)?)?.get(LE);
        let first = u64::from(first);
        for symbol in first..first.checked_add(MAX_CHAIN)? {
            let chained =
                word_at::<U32<LE>>(image, chains, symbol.checked_sub(first_hashed)?)?.get(LE);
            if u64::from(chained) | 1 == hash | 1 {
                if let Some(address) = self.defined(image, symbol, name) {
                    return Some(address);
                }
            }
            if chained & 1 != 0 {
                break;
            }
        }
        None
    }

    /// Buckets with the index of their first symbol, and for each symbol that of the next.
    fn by_hash(&self, image: &Image<'_>, table: u64, name: &[u8]) -> Option<u64> {
        let header: &[U32<LE>; 2] = image.value_at(table)?;
        let n_buckets = u64::from(header[0].get(LE));
        let buckets = table.checked_add(8)?;
        let chains = buckets.checked_add(n_buckets * 4)?;
        let bucket = u64::from(elf::hash(name)).checked_rem(n_buckets)?;
        let mut symbol = word_at::<U32<LE>>(image, buckets, bucket)?.get(LE);
        for _ in 0..MAX_CHAIN {
            if symbol == 0 {
                break;
            }
            if let Some(address) = self.defined(image, u64::from(symbol), name) {
                return Some(address);
            }
            symbol = word_at::<U32<LE>>(image, chains, u64::from(symbol))?.get(LE);
        }
        None
    }

    /// The address of this symbol if it is defined and has this name.
    fn defined(&self, image: &Image<'_>, index: u64, name: &[u8]) -> Option<u64> {
        let symbol = word_at::<Sym64<LE>>(image, self.symbols, index)?;
        let text = self.strings.checked_add(u64::from(symbol.st_name(LE)))?;
        let text = image.bytes_at(text, name.len() as u64 + 1)?;
        (text.strip_prefix(name) == Some(&[0]))
            .then(|| defined_data(symbol))
            .flatten()
    }
}

/// The entry with this index of a table at an address.
fn word_at<'a, T: pod::Pod>(image: &Image<'a>, table: u64, index: u64) -> Option<&'a T> {
    image.value_at(table.checked_add(index.checked_mul(size_of::<T>() as u64)?)?)
}

/// The address of a symbol that is data of this file, or of no stated kind.
fn defined_data(symbol: &Sym64<LE>) -> Option<u64> {
    let is_data = matches!(symbol.st_type(), elf::STT_OBJECT | elf::STT_NOTYPE);
    (is_data && symbol.st_shndx(LE) != elf::SHN_UNDEF).then(|| symbol.st_value(LE))
}

/// Address of a symbol that the full symbol table defines, where the file was not stripped.
pub(super) fn static_symbol(image: &Image<'_>, name: &[u8]) -> Result<Option<u64>, ElfError> {
    let Some(table) = image.section_of_type(elf::SHT_SYMTAB) else {
        return Ok(None);
    };
    let Some(strings) = image.section(table.sh_link(LE)) else {
        return Ok(None);
    };
    let names = name_offsets(image, (strings.sh_offset(LE), strings.sh_size(LE)), name)?;
    if names.is_empty() {
        return Ok(None);
    }
    let mut next = 0;
    // Windows overlap by no symbol, but may end within one: `next` is the first not looked at.
    image.scan_range(
        table.sh_offset(LE),
        table.sh_size(LE),
        SYMBOL_BYTES - 1,
        |bytes, position| {
            let mut rest = bytes.get(usize::try_from(next - position).ok()?..)?;
            while let Ok((symbol, tail)) = pod::from_bytes::<Sym64<LE>>(rest) {
                next += SYMBOL_BYTES as u64;
                rest = tail;
                if names.contains(&symbol.st_name(LE)) {
                    if let Some(address) = defined_data(symbol) {
                        return Some(address);
                    }
                }
            }
            None
        },
    )
}

/// Where in a string table the name stands, alone or as the end of another.
fn name_offsets(
    image: &Image<'_>,
    (offset, len): (u64, u64),
    name: &[u8],
) -> Result<Vec<u32>, ElfError> {
    let mut offsets = Vec::new();
    let mut with_end = name.to_vec();
    with_end.push(0);
    let finder = memchr::memmem::Finder::new(&with_end);
    image.scan_range(offset, len, name.len(), |bytes, position| {
        for at in finder.find_iter(bytes) {
            if offsets.len() == MAX_NAMES {
                return Some(());
            }
            offsets.extend(u32::try_from(position + at as u64));
        }
        None
    })?;
    Ok(offsets)
}
