// How does a person set a small whole number by mouse, finger or keyboard?
//
// What is typed is a draft: Enter or leaving the field commits it, Escape restores the number before. The buttons and the
// arrow keys commit at once.
import { NumberField } from "@base-ui/react/number-field";
import { useId, useRef, useState, type KeyboardEvent } from "react";

import { useTexts } from "../../text/texts";

/** Changes that are a number as the person means it, and not the beginning of one. */
const WHOLE_CHANGES: readonly string[] = ["increment-press", "decrement-press", "keyboard"];

interface Props {
  readonly label: string;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly disabled: boolean;
  readonly onCommit: (value: number) => void;
}

export function BoundField({ label, value, from, to, disabled, onCommit }: Props) {
  const texts = useTexts();
  const id = useId();
  const [draft, setDraft] = useState<{ readonly value: number | null } | null>(null);
  const restoring = useRef(false);

  const commit = (next: number | null) => {
    setDraft(null);
    if (next !== null && next !== value) onCommit(Math.min(to, Math.max(from, Math.round(next))));
  };

  // The field takes what was typed as a number when it loses the focus, so both keys take the focus away for a moment.
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    restoring.current = event.key === "Escape";
    event.currentTarget.blur();
    if (restoring.current) setDraft(null);
    restoring.current = false;
    event.currentTarget.focus();
    event.currentTarget.select();
  };

  return (
    <NumberField.Root
      id={id}
      className="bound"
      value={draft === null ? value : draft.value}
      min={from}
      max={to}
      disabled={disabled}
      format={{ maximumFractionDigits: 0, useGrouping: false }}
      onValueChange={(next, details) => {
        if (restoring.current) details.cancel();
        else if (WHOLE_CHANGES.includes(details.reason)) commit(next);
        else setDraft({ value: next });
      }}
      onValueCommitted={(next, { reason }) => {
        if (!restoring.current && !WHOLE_CHANGES.includes(reason)) commit(next);
      }}
    >
      <label htmlFor={id}>{label}</label>
      <NumberField.Group className="bound-row">
        <NumberField.Decrement className="bound-step" aria-label={texts.lower(label)}>
          −
        </NumberField.Decrement>
        <NumberField.Input
          className="bound-input numbers"
          data-draft={draft !== null && draft.value !== value}
          onKeyDown={onKeyDown}
        />
        <NumberField.Increment className="bound-step" aria-label={texts.raise(label)}>
          +
        </NumberField.Increment>
      </NumberField.Group>
    </NumberField.Root>
  );
}
