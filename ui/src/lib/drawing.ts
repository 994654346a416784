// Which jobs are drawings of this page, and thus no results of their own?

/** Name under which this page sends its drawings; no other page has the same. */
export const DRAWING_NAME = `drawing-${Math.random().toString(36).slice(2, 8)}.png`;
