// How does a person draw an image, and see its answer as they draw?
import { useState } from "react";

import type { Api } from "../../api/client";
import { useRefusal } from "../../api/useRefusal";
import { DetailDialog } from "../../lib/DetailDialog";
import { useTexts } from "../../text/texts";
import { answerOf, isUnsure } from "../results/answer";
import { Probable } from "../results/ResultDialog";
import { SIDE } from "./strokes";
import { useDrawing } from "./useDrawing";
import "./draw.css";

interface Props {
  readonly api: Api;
  readonly labels: readonly string[];
  readonly romanised: ReadonlyMap<string, string>;
}

export function DrawButton(props: Props) {
  const texts = useTexts();
  const refused = useRefusal(props.api, "submit") !== null;
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button"
        disabled={refused}
        onClick={() => {
          setOpen(true);
        }}
      >
        {texts.draw}
      </button>
      <DetailDialog
        title={open ? texts.drawTitle : null}
        wide
        onClose={() => {
          setOpen(false);
        }}
      >
        {open && <DrawPad {...props} />}
      </DetailDialog>
    </>
  );
}

function DrawPad({ api, labels, romanised }: Props) {
  const texts = useTexts();
  const { canvas, reply, strokes, undo, clear } = useDrawing(api);
  return (
    <div className="draw">
      <div className="draw-space">
        <div role="img" aria-label={texts.drawPad}>
          <canvas ref={canvas} className="draw-pad" width={SIDE} height={SIDE} />
        </div>
        <div className="draw-buttons">
          <button type="button" className="button" disabled={strokes === 0} onClick={undo}>
            {texts.undo}
          </button>
          <button type="button" className="button" disabled={strokes === 0} onClick={clear}>
            {texts.clear}
          </button>
        </div>
      </div>
      <div className="detail-facts draw-answer" role="status" aria-label={texts.drawAnswer}>
        {reply === null && <p className="muted">{texts.drawHint}</p>}
        {reply?.answer.ok === false && <p className="error">{reply.answer.problem.message}</p>}
        {reply?.answer.ok && (
          <>
            <p className="detail-answer" data-unsure={isUnsure(reply.answer.value)}>
              {answerOf(reply.answer.value, romanised, texts)}
            </p>
            <Probable job={reply.answer.value} labels={labels} romanised={romanised} />
            <p className="muted numbers">{texts.took(reply.took)}</p>
          </>
        )}
      </div>
    </div>
  );
}
