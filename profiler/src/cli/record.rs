//! `record`: the session between its beginning and its end.
//!
//! | phase | ends with | a signal |
//! |---|---|---|
//! | start | the session runs | leaves at once: nothing is recorded yet |
//! | sampling | signal, timer, COMMAND's or the targets' end | ends it |
//! | finishing: look-ups, writing | the file | the second of all skips look-ups, the third leaves |
//! | waiting for COMMAND | its end | is passed on, Ctrl-C by the terminal, others by us |
//!
//! What may take long runs on tokio's blocking threads; this one waits for signals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{runtime, task::spawn_blocking, time};

use super::{
    command::{self, Running},
    destination::Destination,
    exit::{Exit, Failure},
    plan::Plan,
    progress::ProgressLine,
    save,
    signals::{Signal, Signals},
    targets,
    term::Term,
};
use crate::{
    model::{Profile, Tgid},
    session::{Class, Config, Progress, Session, StartError},
};

/// What `record` needs of a session; tests put another in its place.
pub(super) trait Sampler: Send + Sized + 'static {
    fn start(config: Config) -> Result<Self, StartError>;
    fn progress(&self) -> Progress;
    fn add_pid(&self, tgid: Tgid) -> Result<(), StartError>;
    fn stop(self, skip: &AtomicBool) -> Profile;
}

impl Sampler for Session {
    fn start(config: Config) -> Result<Self, StartError> {
        Self::start(config)
    }

    fn progress(&self) -> Progress {
        self.progress()
    }

    fn add_pid(&self, tgid: Tgid) -> Result<(), StartError> {
        self.add_pid(tgid)
    }

    fn stop(self, skip: &AtomicBool) -> Profile {
        self.stop(skip)
    }
}

/// Records by `plan`; the exit code.
///
/// # Errors
/// Whatever keeps a profile from being written.
pub(super) fn run<S: Sampler>(plan: Plan, term: &Term) -> Result<u8, Failure> {
    let extension = plan.format.extension();
    let destination = Destination::check(plan.output.as_deref(), plan.file_stem(), extension)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| internal(&error))?;
    let ended = runtime.block_on(async {
        let signals = Signals::listen().map_err(|error| internal(&error))?;
        Recording {
            plan,
            destination,
            term: *term,
            signals,
            n_signals: 0,
            command: None,
        }
        .run::<S>()
        .await
    });
    // A blocking thread may wait for what never ends.
    runtime.shutdown_background();
    ended
}

struct Recording {
    plan: Plan,
    destination: Destination,
    term: Term,
    signals: Signals,
    n_signals: u32,
    command: Option<Running>,
}

/// How a phase was left.
enum Flow<T> {
    On(T),
    /// At once, with this exit code.
    Leave(u8),
}

impl Recording {
    async fn run<S: Sampler>(mut self) -> Result<u8, Failure> {
        let session = match self.start::<S>().await? {
            Flow::On(session) => session,
            Flow::Leave(code) => return Ok(code),
        };
        if !self.plan.command.is_empty() {
            let choose = |tgid| session.add_pid(tgid).map_err(|error| not_started(&error));
            self.command = Some(command::start(&self.plan.command, choose).await?);
        }
        self.sample(&session).await;
        let finished = match self.finish(session).await {
            Flow::On(finished) => finished,
            Flow::Leave(code) => return Ok(code),
        };
        if let Err(failure) = &finished {
            self.term.print_failure(failure);
        }
        let own = finished
            .map_or_else(|failure| failure.exit, |()| Exit::Ok)
            .code();
        let commands = self.wait_for_command().await;
        Ok(if commands == 0 { own } else { commands })
    }

    async fn start<S: Sampler>(&mut self) -> Result<Flow<S>, Failure> {
        let config = self.plan.config();
        let starting = spawn_blocking(move || S::start(config));
        tokio::select! {
            started = starting => match started {
                Ok(Ok(session)) => Ok(Flow::On(session)),
                Ok(Err(error)) => Err(not_started(&error)),
                Err(error) => Err(internal(&error)),
            },
            signal = self.signals.next() => Ok(Flow::Leave(signal.exit_code())),
        }
    }

    /// Returns when sampling is to end.
    async fn sample<S: Sampler>(&mut self, session: &S) {
        let started = Instant::now();
        let mut line = ProgressLine::new(self.term, self.command.is_none());
        let mut tick = time::interval(if self.term.live {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(1)
        });
        let mut said_that_it_waits = false;
        // Other targets may start processes for as long as the recording runs.
        let pids_only = self.plan.comms.is_empty() && self.plan.command.is_empty();
        let gone = targets::all_gone(if pids_only { &self.plan.pids } else { &[] });
        let timer = async {
            match self.plan.duration {
                Some(duration) => time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(gone, timer);
        loop {
            tokio::select! {
                signal = self.signals.next() => {
                    self.n_signals += 1;
                    pass_on(self.command.as_ref(), signal);
                    break;
                }
                () = &mut timer => break,
                () = &mut gone => break,
                _ = command_end(&mut self.command) => break,
                _ = tick.tick() => {
                    let progress = session.progress();
                    let elapsed = started.elapsed();
                    if progress.matched == 0 && self.command.is_none() && !said_that_it_waits && elapsed >= Duration::from_secs(1) {
                        said_that_it_waits = true;
                        line.clear();
                        self.term.note(&save::waiting(&self.plan));
                    }
                    line.show(&progress, elapsed);
                }
            }
        }
        line.clear();
    }

    /// Resolves, writes and sums up.
    async fn finish<S: Sampler>(&mut self, session: S) -> Flow<Result<(), Failure>> {
        let skip = Arc::new(AtomicBool::new(false));
        let (plan, destination, term) = (self.plan.clone(), self.destination.clone(), self.term);
        let skip_too = Arc::clone(&skip);
        let mut finishing = spawn_blocking(move || {
            let profile = session.stop(&skip_too);
            save::save(&plan, &profile, &destination, &term)
        });
        loop {
            tokio::select! {
                finished = &mut finishing => {
                    return Flow::On(finished.unwrap_or_else(|error| Err(internal(&error))));
                }
                signal = self.signals.next() => {
                    self.n_signals += 1;
                    pass_on(self.command.as_ref(), signal);
                    if self.n_signals == 2 {
                        skip.store(true, Ordering::Relaxed);
                    } else if self.n_signals > 2 {
                        self.destination.abandon();
                        return Flow::Leave(signal.exit_code());
                    }
                }
            }
        }
    }

    /// The command's exit code, 0 without one. It may take as long as it likes: a Ctrl-C is the
    /// command's own affair, only the third of the other signals is taken as "leave".
    async fn wait_for_command(&mut self) -> u8 {
        let Some(command) = &mut self.command else {
            return 0;
        };
        if let Ok(code) = time::timeout(Duration::from_millis(50), command.ended()).await {
            return code;
        }
        self.term
            .note("the recording has ended, the command goes on");
        let mut n_passed_on = 0;
        loop {
            tokio::select! {
                code = command.ended() => return code,
                signal = self.signals.next() => {
                    command.forward(signal);
                    n_passed_on += u32::from(signal != Signal::Interrupt);
                    if n_passed_on > 2 {
                        return signal.exit_code();
                    }
                }
            }
        }
    }
}

/// The end of the command; never, without one.
async fn command_end(command: &mut Option<Running>) -> u8 {
    match command {
        Some(command) => command.ended().await,
        None => std::future::pending().await,
    }
}

fn pass_on(command: Option<&Running>, signal: Signal) {
    if let Some(command) = command {
        command.forward(signal);
    }
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error.exit() {
        Class::NotFound => Exit::NotFound,
        Class::Permission => Exit::Permission,
        Class::Unsupported => Exit::Unsupported,
        Class::Internal => Exit::Internal,
    };
    let failure = Failure::new(exit, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Internal, format!("the profiler failed: {error}"))
}

#[cfg(test)]
mod tests;
