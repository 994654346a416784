// How is one of several values chosen?
import { useId } from "react";

interface Props<T extends string> {
  readonly name: string;
  readonly value: T | "";
  readonly options: readonly (readonly [value: T, text: string])[];
  /** Text of the choice of every value, "". Without it, one value is always chosen. */
  readonly every?: string;
  readonly onChoose: (value: T | "") => void;
}

export function Choice<T extends string>({ name, value, options, every, onChoose }: Props<T>) {
  const id = useId();
  return (
    <div className="filter-choice">
      <label htmlFor={id}>{name}</label>
      <select
        id={id}
        value={value}
        onChange={({ target }) => {
          onChoose(options.find(([option]) => option === target.value)?.[0] ?? "");
        }}
      >
        {every !== undefined && <option value="">{every}</option>}
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
