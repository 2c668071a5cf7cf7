//! Lengths and rectangles on paper, in points.

/// Points of a millimetre.
const POINTS: f32 = 72.0 / 25.4;

/// Millimetres as points.
pub const fn mm(millimetres: f32) -> f32 {
    millimetres * POINTS
}

/// Inches as points.
pub const fn inch(inches: f32) -> f32 {
    inches * 72.0
}

/// A rectangle. Its corner is its top left one, and `y` grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Area {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// To the right.
    pub width: f32,
    /// Downwards.
    pub height: f32,
}

impl Area {
    /// A rectangle by its corner and its size; there is none of negative size.
    pub fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width: width.max(0.0), height: height.max(0.0) }
    }

    /// Its right edge.
    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    /// Its lower edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }

    /// The same with so much more on each side.
    #[must_use]
    pub fn grown(&self, by: f32) -> Self {
        Self::new(self.x - by, self.y - by, self.width + 2.0 * by, self.height + 2.0 * by)
    }

    /// The same without so much at the left and right, and at the top and bottom.
    #[must_use]
    pub fn inset(&self, sides: f32, ends: f32) -> Self {
        Self::new(self.x + sides, self.y + ends, self.width - 2.0 * sides, self.height - 2.0 * ends)
    }

    /// Whether `other` lies in it, but for a hair.
    pub fn holds(&self, other: &Self) -> bool {
        const HAIR: f32 = 0.01;
        other.x >= self.x - HAIR
            && other.y >= self.y - HAIR
            && other.right() <= self.right() + HAIR
            && other.bottom() <= self.bottom() + HAIR
    }

    /// Whether they share more than a hair.
    pub fn overlaps(&self, other: &Self) -> bool {
        const HAIR: f32 = 0.01;
        self.x + HAIR < other.right()
            && other.x + HAIR < self.right()
            && self.y + HAIR < other.bottom()
            && other.y + HAIR < self.bottom()
    }
}
