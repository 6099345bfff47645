//! What the benchmark prints: plain aligned tables, and whether each aim is met.

/// One row. Its figures are texts already: each has its own unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: String,
    /// The floor's figure, or py-spy's.
    pub(crate) other: String,
    pub(crate) ratio: String,
    pub(crate) aim: String,
    /// `None`: there is no aim, or nothing to compare with it.
    pub(crate) is_met: Option<bool>,
}

/// A titled table.
pub(crate) struct Table {
    title: String,
    /// What stands in the third column.
    other: &'static str,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, other: &'static str) -> Self {
        Self {
            title: title.into(),
            other,
            rows: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Aims that are met, and all.
    pub(crate) fn aims(&self) -> (usize, usize) {
        let aims = self.rows.iter().filter_map(|row| row.is_met);
        (aims.clone().filter(|met| *met).count(), aims.count())
    }

    pub(crate) fn print(&self) {
        let head = ["", "ours", self.other, "ratio", "aim", "met"].map(str::to_owned);
        let rows = self.rows.iter().map(|row| {
            let met = match row.is_met {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "",
            };
            let Row {
                name,
                ours,
                other,
                ratio,
                aim,
                ..
            } = row.clone();
            [name, ours, other, ratio, aim, met.to_owned()]
        });
        let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = format!("\n{}\n", self.title);
        for row in &rows {
            let mut line = format!("  {:<1$}", row[0], widths[0]);
            for column in 1..6 {
                line.push_str(&format!("  {:>1$}", row[column], widths[column]));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        crate::say(&text);
    }
}

/// The middle of the values, 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => values[n / 2],
        _ => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
