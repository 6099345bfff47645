//! Reads a flame graph back through an XML parser: what is drawn, and what lies on what.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// A frame of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    /// Its label, without the numbers.
    pub(crate) label: String,
    /// Samples in it.
    pub(crate) samples: u64,
    /// Left edge, in percent of the width.
    pub(crate) x: f64,
    /// Width, in percent.
    pub(crate) width: f64,
    /// Upper edge.
    pub(crate) y: f64,
}

/// A picture.
#[derive(Debug)]
pub(crate) struct FlameGraph {
    /// Everything that is drawn.
    pub(crate) frames: Vec<Drawn>,
}

impl FlameGraph {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("not a flame graph: {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        let document = roxmltree::Document::parse_with_options(text, options)?;
        ensure!(
            document.root_element().has_tag_name("svg")
                || document.root_element().tag_name().name() == "svg",
            "no svg"
        );
        let mut frames = Vec::new();
        for group in document
            .descendants()
            .filter(|node| node.tag_name().name() == "g")
        {
            let child = |name| group.children().find(|node| node.tag_name().name() == name);
            if let (Some(title), Some(rect)) = (child("title"), child("rect")) {
                frames.push(drawn(title.text().context("no title")?, rect)?);
            }
        }
        Ok(Self { frames })
    }

    /// What lies on a frame: drawn within its width, below it (the root is at the top).
    pub(crate) fn on<'a>(&'a self, below: &'a Drawn) -> impl Iterator<Item = &'a Drawn> {
        const SLACK: f64 = 0.002;
        self.frames.iter().filter(move |frame| {
            frame.y > below.y
                && frame.x >= below.x - SLACK
                && frame.x + frame.width <= below.x + below.width + SLACK
        })
    }
}

/// `name (file:line) (1,234 samples, 56.78%)`.
fn drawn(title: &str, rect: roxmltree::Node<'_, '_>) -> Result<Drawn> {
    let (label, numbers) = title.rsplit_once(" (").context("no numbers")?;
    let samples = numbers
        .split(' ')
        .next()
        .unwrap_or_default()
        .replace(',', "");
    let number = |name: &str| -> Result<f64> {
        let text = rect
            .attribute(name)
            .with_context(|| format!("a frame without {name}"))?;
        Ok(text.trim_end_matches('%').parse()?)
    };
    Ok(Drawn {
        label: label.to_owned(),
        samples: samples.parse().with_context(|| format!("title: {title}"))?,
        x: number("x")?,
        width: number("width")?,
        y: number("y")?,
    })
}
