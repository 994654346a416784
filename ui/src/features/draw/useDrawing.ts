// What has been drawn, and what does the service read in it?
import { useEffect, useRef, useState, type RefObject } from "react";

import type { Api } from "../../api/client";
import { createAsker, type Asker, type Reply } from "./asker";
import { paint, pngOf, pointIn, type Point } from "./strokes";

export interface Drawing {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly reply: Reply | null;
  /** Number of strokes. */
  readonly strokes: number;
  readonly undo: () => void;
  readonly clear: () => void;
}

export function useDrawing(api: Api): Drawing {
  const canvas = useRef<HTMLCanvasElement>(null);
  const asker = useRef<Asker>(null);
  const drawn = useRef<Point[][]>([]);
  const [reply, setReply] = useState<Reply | null>(null);
  const [strokes, setStrokes] = useState(0);

  useEffect(() => {
    const pad = canvas.current;
    if (!pad) return;
    const asking = createAsker({
      picture: () => pngOf(pad),
      ask: (picture) => api.classify(picture),
      onReply: setReply,
    });
    asker.current = asking;
    paint(pad, drawn.current);
    const listening = new AbortController();
    // A second finger does not draw: it would join its points to the stroke of the first.
    let pointer: number | null = null;
    const on = (
      name: "pointerdown" | "pointermove" | "pointerup" | "pointercancel",
      act: (e: PointerEvent) => void,
    ) => {
      pad.addEventListener(name, act, { signal: listening.signal });
    };
    on("pointerdown", (event) => {
      if (pointer !== null || event.button !== 0) return;
      pointer = event.pointerId;
      pad.setPointerCapture(pointer);
      drawn.current.push([pointIn(pad, event)]);
      setStrokes(drawn.current.length);
      paint(pad, drawn.current);
      asking.drawing();
    });
    on("pointermove", (event) => {
      if (event.pointerId !== pointer) return;
      const passed = event.getCoalescedEvents();
      drawn.current.at(-1)?.push(...(passed.length > 0 ? passed : [event]).map((each) => pointIn(pad, each)));
      paint(pad, drawn.current);
      asking.drawing();
    });
    const end = (event: PointerEvent) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      asking.drawn();
    };
    on("pointerup", end);
    on("pointercancel", end);
    return () => {
      listening.abort();
      asking.clear();
    };
  }, [api]);

  const change = (kept: Point[][]) => {
    drawn.current = kept;
    setStrokes(kept.length);
    if (canvas.current) paint(canvas.current, kept);
    asker.current?.clear();
    if (kept.length > 0) asker.current?.drawn();
    else setReply(null);
  };
  return {
    canvas,
    reply,
    strokes,
    undo: () => {
      change(drawn.current.slice(0, -1));
    },
    clear: () => {
      change([]);
    },
  };
}
