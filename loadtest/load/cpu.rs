//! Who used the processor during a run: the named processes, this one, everybody else, and other machines
//! on the same host.

use crate::Result;
use std::{collections::BTreeMap, fs, time::Duration};

/// Linux tells user space its times in this unit, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// Kernel threads are children of this process; what they do is done for others.
const KTHREADD: u32 = 2;

/// A program under watch: a name, and the processes that it began with.
#[derive(Clone)]
pub(crate) struct Watched {
    name: String,
    roots: Vec<u32>,
}

/// Parses `server=123,postgres=456`; a name may come more than once.
pub(crate) fn watched(text: &str) -> Result<Vec<Watched>> {
    let mut by_name = BTreeMap::from([("load".to_owned(), vec![std::process::id()])]);
    for item in text.split(',').filter(|item| !item.is_empty()) {
        let (name, pid) = item.split_once('=').ok_or("--pids wants name=pid,…")?;
        by_name.entry(name.to_owned()).or_default().push(pid.parse()?);
    }
    Ok(by_name.into_iter().map(|(name, roots)| Watched { name, roots }).collect())
}

/// Processor time used so far, or between two moments.
pub(crate) struct Usage {
    pub(crate) named: BTreeMap<String, Duration>,
    pub(crate) foreign: Duration,
    /// What the host gave to other machines while this one had work to do.
    pub(crate) stolen: Duration,
}

struct Process {
    parent: u32,
    /// Its own time and that of children that have ended, so that none is lost when one ends.
    ticks: u64,
}

impl Usage {
    pub(crate) fn now(watched: &[Watched]) -> Result<Self> {
        let processes = processes()?;
        let mut ticks: BTreeMap<&str, u64> =
            watched.iter().map(|program| (program.name.as_str(), 0)).collect();
        let mut foreign = 0;
        for (&pid, process) in &processes {
            match owner(watched, &processes, pid) {
                Some(name) => *ticks.entry(name).or_default() += process.ticks,
                None if pid == KTHREADD || process.parent == KTHREADD => {}
                None => foreign += process.ticks,
            }
        }
        Ok(Self {
            named: ticks.into_iter().map(|(name, ticks)| (name.to_owned(), TICK * ticks as u32)).collect(),
            foreign: TICK * foreign as u32,
            stolen: TICK * stolen(&fs::read_to_string("/proc/stat")?) as u32,
        })
    }

    /// What was used between an earlier moment and this one.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |name: &str| earlier.named.get(name).copied().unwrap_or_default();
        Self {
            named: self
                .named
                .iter()
                .map(|(name, used)| (name.clone(), used.saturating_sub(before(name))))
                .collect(),
            foreign: self.foreign.saturating_sub(earlier.foreign),
            stolen: self.stolen.saturating_sub(earlier.stolen),
        }
    }
}

/// The watched program that a process belongs to, by descent.
fn owner<'a>(watched: &'a [Watched], processes: &BTreeMap<u32, Process>, mut pid: u32) -> Option<&'a str> {
    loop {
        if let Some(program) = watched.iter().find(|program| program.roots.contains(&pid)) {
            return Some(&program.name);
        }
        pid = processes.get(&pid)?.parent;
    }
}

fn processes() -> Result<BTreeMap<u32, Process>> {
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that has ended meanwhile has no file any more; its parent has its time.
    Ok(pids
        .filter_map(|pid| Some((pid, process(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect())
}

/// Reads `/proc/<pid>/stat`: after the name in brackets come state, parent and, from the twelfth field on, times.
fn process(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Process { parent, ticks })
}

/// Reads `/proc/stat`: the eighth number of all processors' line; none where nothing can be stolen.
fn stolen(stat: &str) -> u64 {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    all.and_then(|numbers| numbers.split_whitespace().nth(7)?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_that_of_all_processors() {
        let stat = "cpu  100 2 30 4000 5 0 6 77 8 9\ncpu0 50 1 15 2000 2 0 3 38 4 4\nintr 1 2 3\n";
        assert_eq!(stolen(stat), 77);
        assert_eq!(stolen("cpu  100 2 30\n"), 0);
    }

    #[test]
    fn a_process_is_read_past_whatever_its_name_holds() {
        let stat = "42 (a b) c) S 7 1 1 0 -1 0 0 0 0 0 100 20 3 4 20 0 1 0 0 0";
        let process = process(stat).unwrap();
        assert_eq!((process.parent, process.ticks), (7, 127));
    }
}
