use profiler::bpf::Kernel;
fn main() {
    let t = std::time::Instant::now();
    let r = Kernel::load(4 << 20);
    match r { Err(e) => println!("{e}"), Ok((mut k, m, mut r)) => {
        println!("loaded {:?}", t.elapsed());
        k.watch_processes().unwrap();
        k.start_sampling(100).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let mut n=0; while let Some(i)=r.samples.next() { n+=1; let _=i.len(); }
        let mut e=0; while let Some(i)=r.events.next() { e+=1; if e<4 {println!("{:?}", profiler::bpf::decode::event(&i));} }
        println!("{n} samples {e} events {:?}", m.counters());
    }}
}
