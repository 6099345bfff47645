use super::*;

/// Writes a BTF file by hand.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    n_types: u32,
}

impl Writer {
    fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        offset
    }

    fn add(
        &mut self,
        name: &str,
        kind: u32,
        vlen: u32,
        flag: bool,
        target: u32,
        tail: &[u32],
    ) -> u32 {
        let name = self.name(name);
        let info = kind << 24 | vlen | u32::from(flag) << 31;
        for word in [name, info, target].iter().chain(tail) {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
        self.n_types += 1;
        self.n_types
    }

    fn composite(
        &mut self,
        name: &str,
        kind: u32,
        flag: bool,
        members: &[(&str, u32, u32)],
    ) -> u32 {
        let mut tail = Vec::new();
        for &(member, ty, offset) in members {
            tail.extend([self.name(member), ty, offset]);
        }
        self.add(name, kind, members.len() as u32, flag, 64, &tail)
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&0xeb9f_u16.to_le_bytes());
        bytes.extend_from_slice(&[1, 0]);
        for word in [
            24,
            0,
            self.types.len() as u32,
            self.types.len() as u32,
            self.strings.len() as u32,
        ] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// struct thread { int a; long fsbase; };
/// struct task { int a; union { struct { int x; int pid; }; long z; }; const thread_t thread;
///               int on:1; struct task *next; };
fn sample() -> Vec<u8> {
    let mut w = Writer::default();
    let int = w.add("int", kind::INT, 0, false, 4, &[32]);
    let thread = w.composite(
        "thread",
        kind::STRUCT,
        false,
        &[("a", int, 0), ("fsbase", int, 64)],
    );
    let typedef = w.add("thread_t", kind::TYPEDEF, 0, false, thread, &[]);
    let constant = w.add("", kind::CONST, 0, false, typedef, &[]);
    // One type of each kind whose tail must be skipped.
    w.add("", kind::ARRAY, 0, false, 0, &[int, int, 4]);
    w.add("e", kind::ENUM, 2, false, 4, &[0, 0, 0, 1]);
    w.add("f", kind::ENUM64, 1, false, 8, &[0, 0, 1]);
    w.add("", kind::FUNC_PROTO, 1, false, int, &[0, int]);
    w.add("v", kind::VAR, 0, false, int, &[1]);
    w.add(".data", kind::DATASEC, 1, false, 4, &[9, 0, 4]);
    w.add("tag", kind::DECL_TAG, 0, false, int, &[0]);
    let inner = w.composite("", kind::STRUCT, false, &[("x", int, 0), ("pid", int, 32)]);
    let union = w.composite("", kind::UNION, false, &[("", inner, 0), ("z", int, 0)]);
    let pointer = w.add("", kind::PTR, 0, false, 16, &[]);
    w.composite(
        "task",
        kind::STRUCT,
        true,
        &[
            ("a", int, 0),
            ("", union, 64),
            ("thread", constant, 192),
            ("on", int, 1 << 24 | 320),
            ("next", pointer, 384),
        ],
    );
    w.finish()
}

#[test]
fn nested_and_anonymous_members() {
    let btf = Btf::parse(sample()).unwrap();
    assert_eq!(btf.types.len(), 15);
    for (path, offset) in [
        ("task.a", 0),
        ("task.x", 8),
        ("task.pid", 12),
        ("task.z", 8),
        ("task.thread", 24),
        ("task.thread.fsbase", 32),
        ("task.next", 48),
        ("thread.fsbase", 8),
    ] {
        assert_eq!(btf.offset(path).unwrap(), offset, "{path}");
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let btf = Btf::parse(sample()).unwrap();
    for (path, what) in [
        ("nobody.a", "no such struct"),
        ("thread_t.a", "no such struct"),
        ("task.nothing", "no such member"),
        ("task.a.b", "a part of the path is no struct"),
        ("task.next.a", "a part of the path is no struct"),
        ("task.on", "the member is a bit field"),
        ("task", "the path names no member"),
        ("", "empty path"),
        ("task.", "the path names no member"),
        ("task..x", "the path names no member"),
    ] {
        let error = btf.offset(path).unwrap_err().to_string();
        assert!(error.contains(what), "{path}: {error}");
    }
}

#[test]
fn two_structs_of_one_name_must_agree() {
    let mut w = Writer::default();
    let int = w.add("int", kind::INT, 0, false, 4, &[32]);
    w.composite("s", kind::STRUCT, false, &[("a", int, 32), ("b", int, 64)]);
    w.composite("s", kind::STRUCT, false, &[("a", int, 32), ("b", int, 96)]);
    let btf = Btf::parse(w.finish()).unwrap();
    assert_eq!(btf.offset("s.a").unwrap(), 4);
    assert!(
        btf.offset("s.b")
            .unwrap_err()
            .to_string()
            .contains("disagree")
    );
}

#[test]
fn types_that_contain_themselves_end() {
    let mut w = Writer::default();
    // typedef to itself, and anonymous structs that hold each other many times over.
    w.add("t", kind::TYPEDEF, 0, false, 1, &[]);
    w.composite(
        "s",
        kind::STRUCT,
        false,
        &[("t", 1, 0), ("", 3, 0), ("", 3, 0)],
    );
    w.composite(
        "",
        kind::UNION,
        false,
        &[("", 3, 0), ("", 3, 0), ("", 3, 0)],
    );
    let btf = Btf::parse(w.finish()).unwrap();
    assert!(btf.offset("s.t.x").is_err());
    assert!(btf.offset("s.x").is_err());
}

#[test]
fn a_cut_or_damaged_file_never_panics() {
    let good = sample();
    for len in 0..good.len() {
        assert!(Btf::parse(good[..len].to_vec()).is_err(), "cut at {len}");
    }
    // xorshift: the same damage in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let index = (state >> 8) as usize % bytes.len();
            bytes[index] = state as u8;
        }
        if let Ok(btf) = Btf::parse(bytes) {
            for path in ["task.thread.fsbase", "task.pid", "task.nothing"] {
                let _ = btf.offset(path);
            }
        }
    }
}

/// The members that the kernel side needs, where the kernel that runs the tests has BTF.
#[test]
fn the_running_kernel() {
    if !std::path::Path::new(VMLINUX).exists() {
        return;
    }
    let btf = Btf::load().unwrap();
    let offset = |path| btf.offset(path).unwrap();
    for path in [
        "task_struct.thread.fsbase",
        "task_struct.mm",
        "task_struct.flags",
        "task_struct.signal",
        "task_struct.se.sum_exec_runtime",
        "task_struct.group_leader",
        "task_struct.real_parent",
        "signal_struct.live",
        "signal_struct.sum_sched_runtime",
        "linux_binprm.file",
        "file.f_inode",
        "inode.i_ino",
        "inode.i_sb",
        "super_block.s_dev",
    ] {
        offset(path);
    }
    // Two pid_t, one after the other, since Linux 2.6.
    assert_eq!(offset("task_struct.pid") + 4, offset("task_struct.tgid"));
}
