// Which images failed every attempt, and what becomes of them?
import { useState } from "react";

import type { Api } from "../../api/client";
import type { DeadLetter } from "../../api/types";
import { useRefusal } from "../../api/useRefusal";
import { DetailDialog } from "../../lib/DetailDialog";
import { timeOfDay } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { useDeadLetters, type DeadLetters as Letters } from "./useDeadLetters";
import "./dead.css";

interface Props {
  readonly api: Api;
  /** Number of dead letters that the service counts. */
  readonly dead: number;
}

/** Button with the number of dead letters, and the dialog with them; nothing where there are none. */
export function DeadLetters({ api, dead }: Props) {
  const texts = useTexts();
  const [open, setOpen] = useState(false);
  if (dead === 0 && !open) return null;
  return (
    <>
      <button
        type="button"
        className="button small dead-button"
        onClick={() => {
          setOpen(true);
        }}
      >
        {texts.deadLetters(dead)}
      </button>
      <DetailDialog
        title={open ? texts.deadTitle : null}
        wide
        onClose={() => {
          setOpen(false);
        }}
      >
        {open && <List api={api} dead={dead} />}
      </DetailDialog>
    </>
  );
}

function List({ api, dead }: Props) {
  const texts = useTexts();
  const refused = useRefusal(api, "operate") !== null;
  const letters = useDeadLetters(api, dead);
  const { list, error, busy } = letters;
  return (
    <div className="dead">
      <div className="dead-head">
        <p className="muted numbers" role="status">
          {list === null ? texts.logReading : list.length === 0 ? texts.deadNone : texts.latestOf(list.length, dead)}
        </p>
        <button
          type="button"
          className="button small"
          disabled={refused || !list?.length || busy.size > 0}
          onClick={() => {
            letters.replayAll();
          }}
        >
          {texts.replayAll}
        </button>
      </div>
      {refused && <p className="dead-note">{texts.refusedDead}</p>}
      {error !== null && (
        <p className="error" role="alert">
          {error}
        </p>
      )}
      <ul className="dead-list">
        {list?.map((letter) => (
          <Letter key={letter.id} letter={letter} letters={letters} refused={refused} />
        ))}
      </ul>
    </div>
  );
}

interface LetterProps {
  readonly letter: DeadLetter;
  readonly letters: Letters;
  readonly refused: boolean;
}

function Letter({ letter, letters, refused }: LetterProps) {
  const texts = useTexts();
  const { id, filename, reason, attempts, died } = letter;
  const inert = refused || letters.busy.has(id);
  return (
    <li className="dead-letter">
      <div>
        <p className="dead-name">{filename}</p>
        <p className="error">{reason}</p>
        <p className="muted numbers">
          {texts.attemptsMade(attempts)} · {timeOfDay(died, texts.language)}
        </p>
      </div>
      <div className="dead-acts">
        <button
          type="button"
          className="button small"
          disabled={inert}
          aria-label={texts.replayLabel(filename)}
          onClick={() => {
            letters.replay(id);
          }}
        >
          {texts.replay}
        </button>
        <button
          type="button"
          className="button small danger"
          disabled={inert}
          aria-label={texts.dropLabel(filename)}
          onClick={() => {
            letters.drop(id);
          }}
        >
          {texts.drop}
        </button>
      </div>
    </li>
  );
}
