// How does a drawing become a picture?

/** Side of the picture, in pixels. */
export const SIDE = 280;
/** Width of a stroke, in pixels: as thick in the picture as the brush in the training images. */
const WIDTH = 20;

export interface Point {
  readonly x: number;
  readonly y: number;
}
export type Stroke = readonly Point[];

/** Returns the point of the picture under a pointer, which may be outside. */
export function pointIn(canvas: HTMLCanvasElement, { clientX, clientY }: PointerEvent): Point {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return { x: ((clientX - left) / width) * SIDE, y: ((clientY - top) / height) * SIDE };
}

/** Draws the strokes anew: light on dark, as the training images are. */
export function paint(canvas: HTMLCanvasElement, strokes: readonly Stroke[]): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIDE, SIDE);
  context.strokeStyle = "#fff";
  context.lineWidth = WIDTH;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    const [first, ...rest] = stroke;
    if (!first) continue;
    context.beginPath();
    context.moveTo(first.x, first.y);
    // A stroke of one point is a dot.
    for (const { x, y } of rest.length === 0 ? [first] : rest) context.lineTo(x, y);
    context.stroke();
  }
}

/** Encodes the picture as PNG. */
export function pngOf(canvas: HTMLCanvasElement): Promise<Blob | null> {
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}
