// How does a person say which results to show?
import { Popover } from "@base-ui/react/popover";

import type { Job } from "../../api/types";
import { useTexts } from "../../text/texts";
import { Choice } from "./Choice";
import { conditions, EVERYTHING, ORDERS, type Filter } from "./filter";
import "./tools.css";

const STATES = ["queued", "running", "done", "failed"] as const satisfies readonly Job["state"][];

interface Props {
  readonly filter: Filter;
  readonly labels: readonly string[];
  readonly jobs: ReadonlyMap<string, Job>;
  readonly otherJobs: ReadonlyMap<string, Job>;
  readonly onFilter: (filter: Filter) => void;
}

export function FilterBar({ filter, onFilter, ...known }: Props) {
  const texts = useTexts();
  const set = conditions(filter);
  return (
    <div className="filter-bar">
      <input
        type="search"
        className="filter-text"
        aria-label={texts.filterText}
        placeholder={texts.filterText}
        value={filter.text}
        onChange={({ target }) => {
          onFilter({ ...filter, text: target.value });
        }}
      />
      <Popover.Root>
        <Popover.Trigger className="button small quiet" data-set={set > 0}>
          {texts.filter(set)}
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Positioner className="menu-space" align="end" sideOffset={4}>
            <Popover.Popup className="menu filter-form" aria-label={texts.filter(0)}>
              <Choices filter={filter} onFilter={onFilter} {...known} />
              <div className="filter-foot">
                <button
                  type="button"
                  className="button small"
                  onClick={() => {
                    onFilter(EVERYTHING);
                  }}
                >
                  {texts.filterNone}
                </button>
                <Popover.Close className="button small quiet">{texts.close}</Popover.Close>
              </div>
            </Popover.Popup>
          </Popover.Positioner>
        </Popover.Portal>
      </Popover.Root>
    </div>
  );
}

function Choices({ filter, labels, jobs, otherJobs, onFilter }: Props) {
  const texts = useTexts();
  const pods = new Set([...jobs.values(), ...otherJobs.values()].flatMap(({ worker }) => worker ?? []));
  // A pod that was chosen can be left again, even when its last result was removed.
  if (filter.pod !== "") pods.add(filter.pod);
  return (
    <>
      <Choice
        name={texts.label}
        value={filter.label}
        every={texts.every}
        options={labels.map((label) => [label, label])}
        onChoose={(label) => {
          onFilter({ ...filter, label });
        }}
      />
      <Choice
        name={texts.pod}
        value={filter.pod}
        every={texts.every}
        options={[...pods].sort().map((pod) => [pod, pod])}
        onChoose={(pod) => {
          onFilter({ ...filter, pod });
        }}
      />
      <Choice
        name={texts.state}
        value={filter.state}
        every={texts.every}
        options={STATES.map((state) => [state, texts.jobState[state]])}
        onChoose={(state) => {
          onFilter({ ...filter, state });
        }}
      />
      <Choice
        name={texts.order}
        value={filter.order}
        options={ORDERS.map((order) => [order, texts.orders[order]])}
        onChoose={(order) => {
          onFilter({ ...filter, order: order === "" ? "sent" : order });
        }}
      />
      {(["unsure", "repeated"] as const).map((name) => (
        <label key={name} className="filter-check">
          <input
            type="checkbox"
            checked={filter[name]}
            onChange={({ target }) => {
              onFilter({ ...filter, [name]: target.checked });
            }}
          />
          {texts.only[name]}
        </label>
      ))}
    </>
  );
}
