//! Which path does the brush take in each of the ten kana?
//!
//! The paths were made for kana, in the order and the direction in which the strokes are written by hand. A path lists
//! the points that the centre of the brush passes through.

/// A point of a path, on a square with sides of [`SIDE`].
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Distance from the left edge.
    pub x: i16,
    /// Distance from the top edge.
    pub y: i16,
    /// Pressure of the brush: [`PRESSURE_NORMAL`] gives a line of normal width, less gives a thinner one.
    pub pressure: i16,
}

const fn at(x: i16, y: i16, pressure: i16) -> Point {
    Point { x, y, pressure }
}

/// Side of the square that the paths lie on.
pub const SIDE: f32 = 100.0;

/// Pressure that gives a line of normal width.
pub const PRESSURE_NORMAL: f32 = 100.0;

/// Strokes of each class, in the order of KMNIST's labels.
pub const GLYPHS: [&[&[Point]]; 10] = [O, KI, SU, TSU, NA, HA, MA, YA, RE, WO];

const O: &[&[Point]] = &[
    &[at(8, 34, 110), at(32, 32, 90), at(56, 26, 100)],
    &[
        at(35, 6, 110),
        at(35, 40, 90),
        at(35, 72, 100),
        at(24, 86, 110),
        at(12, 78, 90),
        at(22, 64, 80),
        at(52, 52, 80),
        at(80, 56, 110),
        at(86, 72, 120),
        at(60, 94, 60),
    ],
    &[at(72, 18, 90), at(90, 34, 130)],
];

const KI: &[&[Point]] = &[
    &[at(24, 26, 110), at(46, 24, 90), at(74, 16, 110)],
    &[at(22, 46, 110), at(48, 42, 90), at(80, 34, 110)],
    &[at(42, 4, 110), at(54, 30, 90), at(74, 64, 110)],
    &[at(74, 64, 100), at(52, 62, 60), at(32, 70, 90), at(32, 84, 100), at(46, 94, 110), at(76, 94, 90)],
];

const SU: &[&[Point]] = &[
    &[at(4, 36, 110), at(46, 30, 90), at(96, 20, 130)],
    &[
        at(62, 2, 110),
        at(62, 30, 100),
        at(61, 54, 100),
        at(50, 62, 90),
        at(44, 54, 80),
        at(52, 46, 70),
        at(63, 56, 100),
        at(56, 78, 90),
        at(40, 98, 50),
    ],
];

const TSU: &[&[Point]] =
    &[&[at(4, 40, 110), at(34, 28, 90), at(70, 22, 100), at(92, 38, 120), at(82, 62, 120), at(42, 80, 60)]];

const NA: &[&[Point]] = &[
    &[at(10, 26, 110), at(32, 25, 90), at(54, 18, 100)],
    &[at(36, 4, 110), at(28, 34, 90), at(8, 62, 80)],
    &[at(70, 20, 100), at(92, 36, 120)],
    &[
        at(64, 40, 100),
        at(66, 64, 100),
        at(60, 86, 100),
        at(44, 94, 110),
        at(34, 84, 90),
        at(48, 74, 80),
        at(66, 78, 100),
        at(86, 92, 110),
    ],
];

/// Form derived from 八, like katakana ハ: the most frequent one of *ha* in KMNIST.
const HA: &[&[Point]] = &[
    &[at(32, 28, 110), at(27, 50, 100), at(6, 76, 60)],
    &[at(52, 22, 60), at(62, 22, 90), at(78, 42, 110), at(96, 74, 140)],
];

const MA: &[&[Point]] = &[
    &[at(22, 22, 110), at(50, 20, 90), at(80, 16, 110)],
    &[at(24, 42, 110), at(50, 40, 90), at(78, 37, 110)],
    &[
        at(50, 2, 110),
        at(51, 36, 90),
        at(52, 72, 100),
        at(40, 92, 110),
        at(24, 84, 90),
        at(34, 72, 80),
        at(56, 78, 100),
        at(80, 94, 110),
    ],
];

const YA: &[&[Point]] = &[
    &[at(4, 52, 110), at(36, 38, 90), at(72, 26, 100), at(94, 38, 120), at(82, 56, 110), at(60, 56, 60)],
    &[at(48, 6, 100), at(62, 22, 120)],
    &[at(20, 14, 110), at(34, 52, 100), at(50, 94, 90)],
];

const RE: &[&[Point]] = &[
    &[at(26, 4, 110), at(27, 50, 100), at(27, 96, 110)],
    &[
        at(12, 46, 90),
        at(24, 42, 90),
        at(16, 62, 70),
        at(4, 84, 80),
        at(34, 50, 80),
        at(62, 20, 90),
        at(62, 50, 110),
        at(58, 80, 110),
        at(70, 90, 120),
        at(98, 84, 60),
    ],
];

const WO: &[&[Point]] = &[
    &[at(16, 24, 110), at(46, 22, 90), at(80, 16, 110)],
    &[at(48, 2, 110), at(36, 32, 90), at(12, 62, 90), at(36, 46, 80), at(54, 52, 110), at(54, 76, 100)],
    &[at(88, 40, 110), at(52, 56, 90), at(30, 76, 100), at(44, 94, 110), at(84, 94, 100)],
];
