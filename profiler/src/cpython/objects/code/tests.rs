use super::*;
use crate::cpython::{layout, memory::Image, objects::strings::tests::str_3_12, versions::release};

const CODE: u64 = 0x10_0000;
const TYPES: [(u64, &[u8]); 4] = [
    (0x1000, b"code\0 object"),
    (0x2000, b"str\0 and more"),
    (0x3000, b"bytes\0 and more"),
    (0x4000, b"codecs.Codec\0"),
];
const NAME: u64 = 0x20_0000;
const FILE: u64 = 0x21_0000;
const TABLE: u64 = 0x22_0000;

fn layout_3_12() -> Layout {
    layout(release(12, Some(1)), None).unwrap()
}

/// The head of a 3.12 code object with what Include/cpython/code.h says at these offsets.
fn code_object(ob_type: u64, n_units: u64, first_line: i32) -> Vec<u8> {
    let mut bytes = vec![0xee; 200];
    let mut put =
        |offset: usize, word: &[u8]| bytes[offset..offset + word.len()].copy_from_slice(word);
    put(8, &ob_type.to_le_bytes());
    put(16, &n_units.to_le_bytes());
    put(68, &first_line.to_le_bytes());
    put(112, &FILE.to_le_bytes());
    put(128, &NAME.to_le_bytes());
    put(136, &TABLE.to_le_bytes());
    bytes
}

fn bytes_object(ob_type: u64, content: &[u8]) -> Vec<u8> {
    let head = [1, ob_type, content.len() as u64, u64::MAX].map(u64::to_le_bytes);
    let mut object = [head.as_flattened(), content, &[0]].concat();
    object.resize(object.len().max(FIRST_READ), 0);
    object
}

fn str_object(text: &str) -> Vec<u8> {
    let mut object = str_3_12(TYPES[1].0, text);
    object.resize(object.len().max(FIRST_READ), 0);
    object
}

/// A process with one code object: two instructions at line 7, one at none.
fn image() -> Image {
    let mut image = Image::default();
    for (address, name) in TYPES {
        image.put_u64s(address, &[0, 0, 0, address + 0x100]);
        image.put(address + 0x100, name);
    }
    image.put(CODE, &code_object(TYPES[0].0, 3, 7));
    image.put(NAME, &str_object("Класс.метод"));
    image.put(FILE, &str_object("/srv/app.py"));
    image.put(TABLE, &bytes_object(TYPES[2].0, &[0x81, 0, 0xf8]));
    image
}

fn read(image: &Image) -> Result<Code, ObjectError> {
    let mut codes = CodeReader::new().read(image, &layout_3_12(), &[CODE]);
    assert_eq!(codes.len(), 1);
    codes.remove(0)
}

#[test]
fn a_code_object_is_read_whole() {
    let code = read(&image()).unwrap();
    assert_eq!((&*code.name, &*code.file), ("Класс.метод", "/srv/app.py"));
    assert_eq!((code.first_line, code.n_units), (7, 3));
    let lines: Vec<Option<u32>> = (-1..4)
        .map(|unit| code.line_at(unit).map(u32::from))
        .collect();
    assert_eq!(lines, [Some(7), Some(7), Some(7), None, None]);
    let inside: Vec<i64> = (-3..6).filter(|&unit| code.contains(unit)).collect();
    assert_eq!(inside, [-1, 0, 1, 2]);
}

#[test]
fn a_batch_takes_a_handful_of_calls() {
    let mut image = image();
    let addresses: Vec<u64> = (0..100).map(|i| CODE + i * 0x100).collect();
    // One behind the other, with nothing unmapped in between, as on pages.
    let mut object = code_object(TYPES[0].0, 3, 7);
    object.resize(0x100, 0);
    image.put(CODE, &object.repeat(100));
    let (mut reader, layout) = (CodeReader::new(), layout_3_12());
    assert!(
        reader
            .read(&image, &layout, &addresses)
            .iter()
            .all(Result::is_ok)
    );
    // Code objects, starts, and the types' names.
    assert_eq!(image.calls(), 4);
    assert!(
        reader
            .read(&image, &layout, &addresses)
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(image.calls(), 6);
    let codes: Vec<Code> = reader
        .read(&image, &layout, &addresses)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let before = image.calls();
    let asked: Vec<(u64, &Code)> = addresses.into_iter().zip(&codes).collect();
    assert_eq!(
        CodeReader::unchanged(&image, &layout, &asked),
        [Some(true); 100]
    );
    assert_eq!(image.calls(), before + 1);
}

#[test]
fn what_is_longer_than_the_first_read_is_completed() {
    let mut image = image();
    let name = "名".repeat(900);
    image.put(NAME, &str_object(&name));
    // 400 instructions at line 7 in entries of one instruction, the last one at 8.
    let mut table = [0x80, 0].repeat(400);
    table.extend([0xd8, 0, 0]);
    image.put(TABLE, &bytes_object(TYPES[2].0, &table));
    image.put(CODE, &code_object(TYPES[0].0, 401, 7));
    let code = read(&image).unwrap();
    assert_eq!(*code.name, *name);
    assert_eq!(
        (code.line_at(399), code.line_at(400)),
        (NonZeroU32::new(7), NonZeroU32::new(8))
    );
}

#[test]
fn the_first_read_stays_within_the_page() {
    let mut image = image();
    // 30 characters end where the page does, and nothing follows.
    let object = str_3_12(TYPES[1].0, "a_function_name_of_30_letters_");
    let address = NAME + PAGE - object.len() as u64 / 8 * 8;
    image.put(address, &object);
    let mut code = code_object(TYPES[0].0, 3, 7);
    code[128..136].copy_from_slice(&address.to_le_bytes());
    image.put(CODE, &code);
    assert_eq!(
        &*read(&image).unwrap().name,
        "a_function_name_of_30_letters_"
    );
}

#[test]
fn what_is_no_code_object_is_told() {
    let mut image = image();
    for ob_type in [0, 0x1001, TYPES[1].0, TYPES[3].0, 0x7000] {
        image.put(CODE, &code_object(ob_type, 3, 7));
        assert_eq!(read(&image), Err(ObjectError::NotCode), "{ob_type:#x}");
    }
    for first_line in [-1, MAX_FIRST_LINE + 1, i32::MIN] {
        image.put(CODE, &code_object(TYPES[0].0, 3, first_line));
        assert_eq!(read(&image), Err(ObjectError::NotCode), "{first_line}");
    }
    image.put(CODE, &code_object(TYPES[0].0, 3, 0));
    assert_eq!(read(&image).map(|code| code.first_line), Ok(0));
    image.remove(CODE);
    assert_eq!(read(&image), Err(ObjectError::CodeUnreadable));
}

#[test]
fn each_field_is_proved() {
    let cases: [(u64, Option<Vec<u8>>, ObjectError); 6] = [
        (NAME, None, ObjectError::FieldUnreadable("name")),
        (
            NAME,
            Some(bytes_object(TYPES[2].0, b"f")),
            ObjectError::FieldType("name", "str"),
        ),
        (
            NAME,
            Some(bytes_object(TYPES[1].0, b"\x03")),
            ObjectError::NotCompact("name"),
        ),
        (
            FILE,
            Some(bytes_object(TYPES[3].0, b"f")),
            ObjectError::FieldType("file name", "str"),
        ),
        (
            TABLE,
            Some(str_object("table")),
            ObjectError::FieldType("line table", "bytes"),
        ),
        (TABLE, None, ObjectError::FieldUnreadable("line table")),
    ];
    for (address, object, error) in cases {
        let mut image = image();
        image.remove(address);
        if let Some(object) = object {
            image.put(address, &object);
        }
        assert_eq!(read(&image), Err(error));
    }
}

#[test]
fn absurd_lengths_cost_nothing() {
    let mut image = image();
    let mut table = bytes_object(TYPES[2].0, &[0; 8]);
    for length in [MAX_LINE_TABLE_BYTES as u64 + 1, 1 << 40, u64::MAX] {
        table[16..24].copy_from_slice(&length.to_le_bytes());
        image.put(TABLE, &table);
        let code = read(&image).unwrap();
        assert_eq!((code.line_table.as_deref(), code.line_at(0)), (None, None));
    }
    // As long as it may be, but not there.
    table[16..24].copy_from_slice(&(MAX_LINE_TABLE_BYTES as u64).to_le_bytes());
    image.put(TABLE, &table);
    assert_eq!(
        read(&image),
        Err(ObjectError::FieldUnreadable("line table"))
    );
}

#[test]
fn replaced_code_is_seen() {
    let code = read(&image()).unwrap();
    let unchanged = |image: &Image| CodeReader::unchanged(image, &layout_3_12(), &[(CODE, &code)]);
    assert_eq!(unchanged(&image()), [Some(true)]);
    let changes: [(u64, Vec<u8>); 6] = [
        (CODE, code_object(TYPES[0].0, 3, 8)),
        (CODE, code_object(TYPES[0].0, 4, 7)),
        (CODE, code_object(TYPES[3].0, 3, 7)),
        // The same addresses: the new function's strings took the place of the old one's.
        (NAME, str_object("Класс.другой")),
        (FILE, str_object("/srv/bpp.py")),
        (TABLE, bytes_object(TYPES[2].0, &[0x82, 0, 0xf8])),
    ];
    for (address, object) in changes {
        let mut image = image();
        image.put(address, &object);
        assert_eq!(unchanged(&image), [Some(false)], "{address:#x}");
        image.remove(address);
        let gone = (address != CODE).then_some(false);
        assert_eq!(unchanged(&image), [gone], "{address:#x} is gone");
    }
}

#[test]
fn before_3_11_the_length_is_that_of_co_code() {
    const CO_CODE: u64 = 0x23_0000;
    let layout = layout(release(9, Some(18)), None).unwrap();
    let mut image = image();
    let mut bytes = vec![0; 176];
    let words = [
        (8, TYPES[0].0),
        (48, CO_CODE),
        (104, FILE),
        (112, NAME),
        (120, TABLE),
    ];
    for (offset, word) in words {
        bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
    }
    bytes[40] = 5;
    image.put(CODE, &bytes);
    // 3.9's heads of str objects are 8 bytes longer.
    let longer = |text: &str| {
        let object = str_3_12(TYPES[1].0, text);
        let mut longer = [&object[..40], &[0; 8], &object[40..]].concat();
        longer.resize(FIRST_READ, 0);
        longer
    };
    image.put(NAME, &longer("f"));
    image.put(FILE, &longer("f.py"));
    image.put(TABLE, &bytes_object(TYPES[2].0, &[4, 1]));
    image.put(CO_CODE, &bytes_object(TYPES[2].0, &[0; 12]));
    let code = CodeReader::new()
        .read(&image, &layout, &[CODE])
        .remove(0)
        .unwrap();
    assert_eq!((&*code.name, &*code.file, code.n_units), ("f", "f.py", 6));
    assert_eq!(
        (code.line_at(1), code.line_at(2)),
        (NonZeroU32::new(5), NonZeroU32::new(6))
    );
}
