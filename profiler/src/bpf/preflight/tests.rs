use super::*;

const ROOT: u64 = 0x1ff_ffff_ffff;

fn says(result: Result<(), PreflightError>, class: PreflightClass, parts: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.class(), class);
    for part in parts {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn machines() {
    assert!(check_machine("x86_64").is_ok());
    says(
        check_machine("aarch64"),
        PreflightClass::Kernel,
        &["aarch64", "x86_64"],
    );
}

#[test]
fn kernels() {
    for release in [
        "5.17.0",
        "5.17-rc1",
        "6.1.0-18-amd64",
        "6.18.44-fc-v595",
        "10.0.1",
        "next",
    ] {
        assert!(check_kernel(release).is_ok(), "{release}");
    }
    for release in [
        "5.16.20",
        "5.10.0-28-cloud-amd64",
        "4.18.0-553.el8.x86_64",
        "2.6.32",
    ] {
        says(
            check_kernel(release),
            PreflightClass::Kernel,
            &[release, "5.17"],
        );
    }
    assert!(check_btf(true, "6.1").is_ok());
    says(
        check_btf(false, "6.1.0"),
        PreflightClass::Kernel,
        &["/sys/kernel/btf/vmlinux", "6.1.0", "CONFIG_DEBUG_INFO_BTF"],
    );
}

#[test]
fn pid_namespaces() {
    assert!(check_pid_namespace(4_026_531_836).is_ok());
    says(
        check_pid_namespace(4_026_532_201),
        PreflightClass::Environment,
        &["--pid=host", "hostPID: true"],
    );
}

#[test]
fn user_namespaces() {
    assert!(check_user_namespace(4_026_531_837).is_ok());
    says(
        check_user_namespace(4_026_532_300),
        PreflightClass::Permission,
        &["--userns=host"],
    );
}

#[test]
fn capabilities() {
    // BPF and PERFMON, or SYS_ADMIN for both; SYS_PTRACE always.
    assert!(check_capabilities(ROOT, "").is_ok());
    assert!(check_capabilities(1 << 38 | 1 << 39 | 1 << 19, "").is_ok());
    assert!(check_capabilities(1 << 21 | 1 << 19, "").is_ok());
    let permission = PreflightClass::Permission;
    says(
        check_capabilities(0, ""),
        permission,
        &[
            "missing capabilities: CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE;",
            "sudo",
            "setcap",
        ],
    );
    says(
        check_capabilities(ROOT & !(1 << 19), ""),
        permission,
        &["missing capability: CAP_SYS_PTRACE;"],
    );
    says(
        check_capabilities(1 << 19 | 1 << 39, ""),
        permission,
        &["missing capability: CAP_PERFMON;"],
    );
    says(
        check_capabilities(1 << 21, ""),
        permission,
        &["missing capability: CAP_SYS_PTRACE;"],
    );
}

#[test]
fn lockdown_is_a_hint() {
    assert!(check_capabilities(ROOT, "none integrity [confidentiality]").is_ok());
    let missing = |lockdown| check_capabilities(0, lockdown).unwrap_err().to_string();
    assert!(missing("none integrity [confidentiality]\n").contains("locked down"));
    assert!(!missing("none [integrity] confidentiality\n").contains("locked down"));
    assert!(!missing("").contains("locked down"));
}

#[test]
fn rates() {
    assert!(check_rate(10_000, Some(10_000)).is_ok());
    assert!(check_rate(10_000, None).is_ok());
    says(
        check_rate(10_000, Some(7_500)),
        PreflightClass::Environment,
        &[
            "10000 Hz",
            "7500 Hz",
            "kernel.perf_event_max_sample_rate=10000",
        ],
    );
}

#[test]
fn the_effective_set() {
    let status = "Name:\tx\nCapPrm:\t0000000000000001\nCapEff:\t000001fffeffffff\nCapBnd:\t0\n";
    assert_eq!(parse_effective(status), Some(0x1ff_feff_ffff));
    assert_eq!(parse_effective("CapEff:\tx\n"), None);
    assert!(effective_capabilities().is_ok());
    assert!(namespace("/proc/self/ns/user").is_ok());
}
