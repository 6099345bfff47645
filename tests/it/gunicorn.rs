//! The seed's own case: gunicorn with four workers serves a Flask app with CPU-bound NumPy code,
//! under load. The picture that `profiler --comm gunicorn` draws names the slow function in all
//! four, and its share agrees with what each worker measured by its own clocks.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use integration::{
    inventory::{Inventory, workloads},
    process::{PATIENCE, Process},
    record::profiler,
};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::{
    left_out,
    svg::{Drawn, FlameGraph},
    trial,
};

const N_WORKERS: usize = 4;

/// Not 1000: requests begin when the scheduler's tick (100, 250 or 1000 Hz) lets a client run, and
/// samples in step with that meet the same points of each request again and again. At 1000 Hz and
/// HZ=250 all four workers were wrong by the same 2 to 5 points, another number in each run.
const RATE_HZ: &str = "997";

/// Seconds of recording: 60 requests a worker and more, also when the machine has other work.
const DURATION: &str = "10";

/// Samples and clocks may differ by so much: 3 points.
const TOLERANCE: f64 = 0.03;

/// What is served, and how.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// The path of the request, and the function that is slow then.
    endpoint: &'static str,
    slow: &'static str,
    blas_threads: u32,
    with_setproctitle: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "elementwise",
        endpoint: "elementwise",
        slow: "slow_elementwise",
        blas_threads: 1,
        with_setproctitle: false,
    },
    // OpenBLAS computes in threads of its own, of which Python knows nothing.
    Case {
        name: "matmul",
        endpoint: "matmul",
        slow: "slow_matmul",
        blas_threads: 2,
        with_setproctitle: false,
    },
    // The workers call themselves `gunicorn: worker [web:app]`.
    Case {
        name: "setproctitle",
        endpoint: "elementwise",
        slow: "slow_elementwise",
        blas_threads: 1,
        with_setproctitle: true,
    },
];

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let trials = CASES.iter().map(|&case| {
        let name = format!("gunicorn::{}", case.name);
        let venv = inventory.venv.clone();
        if venv.join("bin/gunicorn").exists() {
            trial(name, move || shares_agree(&venv, case))
        } else {
            left_out(name)
        }
    });
    trials.collect()
}

fn shares_agree(venv: &Path, case: Case) -> Result<()> {
    let server = Server::start(venv, case)?;
    let load = Load::start(&server.socket, case.endpoint);
    let workers = server.workers_at_work()?;

    let picture = server.folder.path().join("picture.svg");
    let begin_ns = monotonic_ns();
    let output = profiler()?
        .args(["--comm", "gunicorn", "-r", RATE_HZ, "-d", DURATION, "-o"])
        .arg(&picture)
        .output()?;
    let end_ns = monotonic_ns();
    load.stop()?;
    let summary = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {summary}", output.status);

    let picture = FlameGraph::read(&picture)?;
    let complaints: Vec<_> = workers
        .iter()
        .filter_map(|&worker| {
            let times = Times::between(&server.times(worker), begin_ns, end_ns);
            let checked = times.and_then(|times| check_worker(&picture, worker, &times, case));
            checked
                .err()
                .map(|error| format!("worker {worker}: {error:#}"))
        })
        .collect();
    ensure!(
        complaints.is_empty(),
        "{}\n{summary}",
        complaints.join("\n")
    );
    Ok(())
}

fn check_worker(picture: &FlameGraph, worker: u32, times: &Times, case: Case) -> Result<()> {
    let label = format!("process {worker}:\"");
    let process = picture
        .frames
        .iter()
        .find(|frame| frame.label.starts_with(&label));
    let process = process.context("it is not in the picture")?;
    if case.with_setproctitle {
        ensure!(
            process.label.contains("gunicorn: worker [web:app]"),
            "{}",
            process.label
        );
    }

    let slow = share(picture, process, |label| {
        label.starts_with(&format!("{} (", case.slow))
    });
    ensure!(slow > 0.0, "{} is not in the picture", case.slow);
    agrees(case.slow, slow, times.slow_ns / times.process_ns)?;

    let native = share(picture, process, |label| label == "<native thread>");
    agrees(
        "<native thread>",
        native,
        1.0 - times.thread_ns / times.process_ns,
    )?;
    ensure!(
        case.blas_threads == 1 || native > 0.05,
        "OpenBLAS had no threads of its own"
    );
    Ok(())
}

/// The part of a process's samples that is on such frames.
fn share(picture: &FlameGraph, process: &Drawn, is_it: impl Fn(&str) -> bool) -> f64 {
    let on_it: u64 = picture
        .on(process)
        .filter(|frame| is_it(&frame.label))
        .map(|frame| frame.samples)
        .sum();
    on_it as f64 / process.samples as f64
}

fn agrees(what: &str, samples: f64, clocks: f64) -> Result<()> {
    if (samples - clocks).abs() > TOLERANCE {
        bail!("{what}: {samples:.3} of the samples, {clocks:.3} by the worker's own clocks");
    }
    Ok(())
}

/// gunicorn and its workers.
struct Server {
    process: Process,
    socket: PathBuf,
    folder: TempDir,
}

impl Server {
    fn start(venv: &Path, case: Case) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("socket");
        let times = folder.path().join("times");
        fs::create_dir(&times)?;
        let mut command = Command::new(venv.join("bin/gunicorn"));
        command
            .args(["--workers", &N_WORKERS.to_string(), "--chdir"])
            .arg(workloads().join("programs"))
            .arg(format!("--bind=unix:{}", socket.display()))
            .arg("web:app")
            .env("WEB_TIMES", &times)
            .env("OPENBLAS_NUM_THREADS", case.blas_threads.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if !case.with_setproctitle {
            fs::write(folder.path().join("setproctitle.py"), "raise ImportError\n")?;
            command.env("PYTHONPATH", folder.path());
        }
        let mut process = Process::start(&mut command)?;
        let mut n_booted = 0;
        while n_booted < N_WORKERS {
            n_booted += usize::from(process.error_line()?.contains("Booting worker"));
        }
        Ok(Self {
            process,
            socket,
            folder,
        })
    }

    fn times(&self, worker: u32) -> PathBuf {
        self.folder.path().join("times").join(worker.to_string())
    }

    /// Waits until every worker has answered requests; their pids.
    fn workers_at_work(&self) -> Result<Vec<u32>> {
        let begin = Instant::now();
        loop {
            let mut workers = Vec::new();
            for entry in fs::read_dir(self.folder.path().join("times"))? {
                let entry = entry?;
                if fs::read_to_string(entry.path())?.lines().count() >= 3 {
                    workers.push(entry.file_name().to_string_lossy().parse()?);
                }
            }
            if workers.len() == N_WORKERS {
                return Ok(workers);
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "only {} workers work",
                workers.len()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The arbiter ends its workers; killed, it would leave them behind.
        self.process.signal(libc::SIGTERM);
        drop(self.process.wait());
    }
}

/// Requests without end, from more connections than there are workers.
struct Load {
    enough: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    fn start(socket: &Path, endpoint: &'static str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let threads = (0..2 * N_WORKERS).map(|_| {
            let (enough, socket) = (Arc::clone(&enough), socket.to_owned());
            thread::spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    request(&socket, endpoint)?;
                }
                Ok(())
            })
        });
        let threads = threads.collect();
        Self { enough, threads }
    }

    fn stop(self) -> Result<()> {
        self.enough.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(())
    }
}

fn request(socket: &Path, endpoint: &str) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("no connection")?;
    write!(
        stream,
        "GET /{endpoint} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(
        answer.starts_with("HTTP/1.1 200"),
        "the server said: {answer}"
    );
    Ok(())
}

/// CPU time of a worker during the recording, by its own clocks.
#[derive(Debug)]
struct Times {
    slow_ns: f64,
    thread_ns: f64,
    process_ns: f64,
}

impl Times {
    /// From the lines that the worker wrote after each request.
    fn between(path: &Path, begin_ns: u64, end_ns: u64) -> Result<Self> {
        let mut rows: Vec<[u64; 4]> = Vec::new();
        for line in fs::read_to_string(path)?.lines() {
            let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
            rows.push(
                numbers
                    .try_into()
                    .ok()
                    .context("a line without four numbers")?,
            );
        }
        rows.retain(|row| (begin_ns..=end_ns).contains(&row[0]));
        ensure!(rows.len() >= 10, "only {} requests", rows.len());
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let during = |column: usize| (last[column] - first[column]) as f64;
        Ok(Self {
            slow_ns: during(1),
            thread_ns: during(2),
            process_ns: during(3),
        })
    }
}

/// CLOCK_MONOTONIC.
fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local that outlives the call; the clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
