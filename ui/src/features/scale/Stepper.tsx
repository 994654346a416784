// How does a person set a small whole number by mouse, finger or keyboard?
import { useId } from "react";

interface Props {
  readonly label: string;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly onChange: (value: number) => void;
}

export function Stepper({ label, value, from, to, onChange }: Props) {
  const id = useId();
  const set = (next: number) => {
    if (Number.isInteger(next) && next >= from && next <= to && next !== value) onChange(next);
  };
  const button = (by: number, sign: string, word: string) => (
    <button
      type="button"
      aria-label={`${word} ${label.toLowerCase()}`}
      disabled={value + by < from || value + by > to}
      onClick={() => {
        set(value + by);
      }}
    >
      {sign}
    </button>
  );
  return (
    <div className="stepper">
      <label htmlFor={id}>{label}</label>
      <div className="stepper-row">
        {button(-1, "−", "Lower")}
        <input
          id={id}
          className="numbers"
          type="number"
          inputMode="numeric"
          min={from}
          max={to}
          value={value}
          onChange={(event) => {
            set(event.target.valueAsNumber);
          }}
        />
        {button(1, "+", "Raise")}
      </div>
    </div>
  );
}
