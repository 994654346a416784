//! How is a chart drawn?
//!
//! By `plotters`, as a drawing inside the page. Plotters writes every colour as red, green and blue; each [`Colour`] is
//! therefore drawn in a number that stands for it, and replaced by a variable of the style sheet, which knows light and
//! dark. Coordinates are whole numbers: charts are drawn [`SCALE`] times as large as they are shown.

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of the drawing, over the size that it is shown in.
const SCALE: u32 = 2;

/// Width of a chart that shares its row with another, in pixels of the page.
pub const HALF: u32 = 480;

/// Size of letters, in pixels of the drawing. Plotters divides it by 1.24: 13 pixels of the page.
const LETTERS: u32 = 31;

/// Texts in a chart beyond which they are set smaller.
const MANY_TEXTS: usize = 20;

/// Colours of classes in the style sheet; further classes use them again.
pub const CLASS_COLOURS: usize = 12;

/// Red and green of the numbers that stand for colours; blue says which one.
const MARK: [u8; 2] = [0xF0, 0x0D];

/// Colour of a mark, by its purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Colour {
    /// Colour of text.
    Ink,
    /// Colour of what the chart is about.
    Accent,
    /// Colour of what it is compared with.
    Other,
    /// Colour of this class.
    Class(usize),
}

impl Colour {
    const fn number(self) -> u8 {
        match self {
            Self::Ink => 0xF0,
            Self::Accent => 0xF1,
            Self::Other => 0xF2,
            Self::Class(class) => (class % CLASS_COLOURS) as u8,
        }
    }

    /// Returns the colour as the style sheet names it.
    pub fn css(self) -> String {
        match self {
            Self::Ink => "currentColor".to_owned(),
            Self::Accent => "var(--accent)".to_owned(),
            Self::Other => "var(--other)".to_owned(),
            Self::Class(class) => format!("var(--k{})", class % CLASS_COLOURS),
        }
    }

    fn drawn(self, opacity: f64) -> RGBAColor {
        RGBAColor(MARK[0], MARK[1], self.number(), opacity)
    }
}

/// Something in a chart.
#[derive(Clone, Debug)]
pub enum Mark {
    /// Line through points; those that are no numbers are left out.
    Line { points: Vec<[f64; 2]>, colour: Colour, width: u32, opacity: f64 },
    /// Rectangle between two corners.
    Bar { corners: [[f64; 2]; 2], colour: Colour, opacity: f64 },
    /// Circle around a point.
    Dot { at: [f64; 2], colour: Colour, radius: i32, opacity: f64 },
    /// Outline of a circle around a point.
    Ring { at: [f64; 2], radius: i32 },
    /// Text at a point.
    Text { at: [f64; 2], text: String },
}

/// One direction of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Name that is written beside it; empty for none.
    pub name: &'static str,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Creates an axis of numbers, with round ones marked.
    pub fn numbers(name: &'static str, bounds: [f64; 2], text: impl Fn(f64) -> String) -> Self {
        let [from, to] = if bounds.iter().all(|bound| bound.is_finite()) { bounds } else { [0.0, 1.0] };
        // An axis needs a length, whatever the numbers are.
        let to = if to - from > f64::EPSILON * from.abs().max(1.0) { to } else { from + 1.0 };
        let ticks = RangedCoordf64::from(from..to).key_points(6);
        Self { name, from, to, ticks: ticks.into_iter().map(|tick| (tick, text(tick))).collect() }
    }

    /// Creates an axis of things that are counted from 1, with some of them marked.
    pub fn counted(name: &'static str, count: usize) -> Self {
        let step = count.div_ceil(8).max(1);
        let ticks = (step..=count).step_by(step).map(|number| (number as f64, number.to_string())).collect();
        // A single thing is in the middle.
        let (from, to) = if count < 2 { (0.0, 2.0) } else { (1.0, count as f64) };
        Self { name, from, to, ticks }
    }

    /// Creates an axis of names, in the middle of spaces of width 1 from 0.
    pub fn names(name: &'static str, names: Vec<String>) -> Self {
        let to = names.len().max(1) as f64;
        Self { name, from: 0.0, to, ticks: (0..).map(|at| f64::from(at) + 0.5).zip(names).collect() }
    }

    /// Makes the axis end at `to`.
    pub fn reaching(self, to: f64) -> Self {
        Self { to, ..self }
    }

    /// Creates an axis without ticks.
    pub fn blank(bounds: [f64; 2]) -> Self {
        Self { ticks: Vec::new(), ..Self::numbers("", bounds, |_| String::new()) }
    }

    fn text(&self, at: f64) -> String {
        self.ticks.iter().find(|tick| tick.0 == at).map(|tick| tick.1.clone()).unwrap_or_default()
    }

    fn is_blank(&self) -> bool {
        self.ticks.is_empty()
    }

    fn coordinate(&self) -> Coordinate {
        Coordinate { inner: (self.from..self.to).into(), ticks: self.ticks.iter().map(|tick| tick.0).collect() }
    }
}

/// Coordinate whose marks are chosen by the [`Axis`]. Plotters' own combinator for that cannot write numbers.
struct Coordinate {
    inner: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Coordinate {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.inner.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.inner.range()
    }
}

/// Chart that can be drawn.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Width and height, in pixels of the page.
    pub size: [u32; 2],
    /// Horizontal direction.
    pub x: Axis,
    /// Vertical direction.
    pub y: Axis,
    /// Contents, in the order in which they are drawn.
    pub marks: Vec<Mark>,
    /// Description for those who cannot see it, with its numbers.
    pub label: String,
}

impl Chart {
    /// Draws the chart.
    pub fn draw(&self) -> Markup {
        let mut drawing = String::new();
        let size = (self.size[0] * SCALE, self.size[1] * SCALE);
        {
            let area = SVGBackend::with_string(&mut drawing, size).into_drawing_area();
            self.draw_on(&area).expect("BUG: a string can always be written to");
        }
        let texts = self.marks.iter().filter(|mark| matches!(mark, Mark::Text { .. })).count();
        let inside = drawing.split_once('>').map_or("", |(_, inside)| inside).trim_end();
        let inside = themed(inside.strip_suffix("</svg>").unwrap_or(inside));
        html! {
            svg.bare[self.is_bare()].many[texts > MANY_TEXTS]
                role="img" aria-label=(self.label)
                viewBox={ "0 0 " (size.0) " " (size.1) } style={ "--w:" (self.size[0]) "px" } {
                (PreEscaped(inside))
            }
        }
    }

    /// Returns whether the chart has neither axis.
    fn is_bare(&self) -> bool {
        self.x.is_blank() && self.y.is_blank()
    }

    fn draw_on(&self, area: &DrawingArea<SVGBackend, Shift>) -> Result<(), Failed> {
        let quiet = letters(0.8);
        let is_bare = self.is_bare();
        let mut chart = ChartBuilder::on(area)
            .margin(if is_bare { 8 } else { 20 })
            .margin_right(if is_bare { 8 } else { 52 })
            .x_label_area_size(if is_bare {
                0
            } else if self.x.name.is_empty() {
                56
            } else {
                84
            })
            .y_label_area_size(if is_bare { 0 } else { 124 })
            .build_cartesian_2d(self.x.coordinate(), self.y.coordinate())?;
        if !is_bare {
            chart
                .configure_mesh()
                .disable_x_mesh()
                .bold_line_style(Colour::Ink.drawn(0.12).stroke_width(SCALE))
                .axis_style(Colour::Ink.drawn(0.35).stroke_width(SCALE))
                .label_style(quiet.clone())
                .axis_desc_style(quiet.clone())
                .x_desc(self.x.name)
                .y_desc(self.y.name)
                .x_label_formatter(&|&at| self.x.text(at))
                .y_label_formatter(&|&at| self.y.text(at))
                .draw()?;
        }
        let middle = letters(1.0).pos(Pos::new(HPos::Center, VPos::Center));
        for mark in &self.marks {
            let pair = |at: &[f64; 2]| (at[0], at[1]);
            let element = match mark {
                Mark::Line { points, colour, width, opacity } => {
                    let known = points.iter().filter(|point| point.iter().all(|at| at.is_finite()));
                    let style = colour.drawn(*opacity).stroke_width(width * SCALE);
                    PathElement::new(known.map(pair).collect::<Vec<_>>(), style).into_dyn()
                }
                Mark::Bar { corners, colour, opacity } => {
                    Rectangle::new([pair(&corners[0]), pair(&corners[1])], colour.drawn(*opacity).filled()).into_dyn()
                }
                Mark::Dot { at, colour, radius, opacity } => {
                    Circle::new(pair(at), *radius, colour.drawn(*opacity).filled()).into_dyn()
                }
                Mark::Ring { at, radius } => {
                    Circle::new(pair(at), *radius, Colour::Ink.drawn(0.9).stroke_width(SCALE)).into_dyn()
                }
                Mark::Text { at, text } => Text::new(text.clone(), pair(at), middle.clone()).into_dyn(),
            };
            chart.draw_series(std::iter::once(element))?;
        }
        area.present()?;
        Ok(())
    }
}

fn letters(opacity: f64) -> TextStyle<'static> {
    let mut style = TextStyle::from(("sans-serif", LETTERS).into_font());
    style.color = Colour::Ink.drawn(opacity).to_backend_color();
    style
}

/// Error of a backend that writes into a string: there is none.
type Failed = DrawingAreaErrorKind<std::io::Error>;

/// Replaces the numbers that stand for colours, and leaves out what is said anyway.
fn themed(drawing: &str) -> String {
    let classes = (0..CLASS_COLOURS).map(Colour::Class);
    let mut drawing = drawing.replace(" stroke=\"none\" stroke-width=\"1\"", "").replace(" opacity=\"1\"", "");
    for colour in classes.chain([Colour::Ink, Colour::Accent, Colour::Other]) {
        // Quotes in text are escaped: only attributes can match.
        let drawn = format!("\"#{:02X}{:02X}{:02X}\"", MARK[0], MARK[1], colour.number());
        drawing = drawing.replace(&drawn, &format!("\"{}\"", colour.css()));
    }
    drawing
}

/// Returns what a colour stands for, for a caption.
pub fn key(colour: Colour, text: Markup) -> Markup {
    html! { span.key { i style={ "background:" (colour.css()) } {} (text) } " " }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(marks: Vec<Mark>) -> Chart {
        let axis = || Axis::numbers("share", [0.0, 1.0], |at| at.to_string());
        Chart { size: [HALF, 300], x: axis(), y: axis(), marks, label: "a \"chart\"".to_owned() }
    }

    #[test]
    fn colours_are_those_of_the_style_sheet() {
        let line = |colour| Mark::Line { points: vec![[0.0, 0.0], [1.0, 1.0]], colour, width: 1, opacity: 1.0 };

        let drawing = chart(vec![line(Colour::Accent), line(Colour::Class(13))]).draw().into_string();

        assert!(drawing.contains("var(--accent)") && drawing.contains("var(--k1)") && drawing.contains("currentColor"));
        assert!(!drawing.contains("\"#"), "{drawing}");
    }

    #[test]
    fn text_is_escaped() {
        let drawing = chart(vec![Mark::Text { at: [0.5, 0.5], text: "<b>".to_owned() }]).draw().into_string();

        assert!(drawing.contains("&lt;b&gt;") && drawing.contains("a &quot;chart&quot;") && !drawing.contains("<b>"));
    }

    #[test]
    fn an_axis_has_a_length_whatever_its_bounds() {
        for bounds in [[0.0, 0.0], [5.0, 5.0], [3.0, 1.0], [1e9, 1e9], [f64::NAN, 1.0]] {
            let axis = Axis::numbers("", bounds, |at| at.to_string());

            assert!(axis.to > axis.from, "{bounds:?}");
        }
    }
}
