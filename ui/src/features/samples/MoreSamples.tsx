// How does a person send many samples, or let them keep coming?
import { Popover } from "@base-ui/react/popover";
import { useEffect, useId, useState } from "react";

import type { Api } from "../../api/client";
import { useRefusal } from "../../api/useRefusal";
import { useTexts } from "../../text/texts";
import { useSamples } from "../upload/useSamples";
import type { Uploads } from "../upload/useUploads";
import { useStream } from "./useStream";
import "./samples.css";

/** Samples of a large run. */
const MANY = 500;
/** Samples a second at first, and at most: more than that is a matter for `kana load`. */
const RATE_USUAL = 10;
const RATE_MAX = 100;

interface Props {
  readonly api: Api;
  readonly uploads: Uploads;
  /** Whether the service is connected. */
  readonly live: boolean;
}

export function MoreSamples({ api, uploads, live }: Props) {
  const texts = useTexts();
  const refused = useRefusal(api, "submit") !== null;
  const [open, setOpen] = useState(false);
  const many = useSamples(api, uploads.add, live, MANY);
  const stream = useStream(api, uploads, live);
  const { rate, stop } = stream;
  useEffect(() => {
    if (refused) stop();
  }, [refused, stop]);
  if (rate !== null)
    return (
      <button type="button" className="button danger" onClick={stop}>
        {texts.stopSamples(rate)}
      </button>
    );
  const error = stream.error ?? many.error;
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className="button" disabled={refused}>
        {texts.moreSamples}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner className="menu-space" align="start" sideOffset={4}>
          <Popover.Popup className="menu samples-form" aria-label={texts.moreSamples}>
            <button
              type="button"
              className="button small"
              disabled={many.busy}
              onClick={() => {
                many.send();
                setOpen(false);
              }}
            >
              {texts.samples(MANY)}
            </button>
            <RateForm
              onStart={(chosen) => {
                stream.start(chosen);
                setOpen(false);
              }}
            />
            {error !== null && <p className="error">{error}</p>}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function RateForm({ onStart }: { readonly onStart: (rate: number) => void }) {
  const texts = useTexts();
  const id = useId();
  const [rate, setRate] = useState(String(RATE_USUAL));
  return (
    <form
      className="samples-rate"
      onSubmit={(event) => {
        event.preventDefault();
        onStart(Number(rate));
      }}
    >
      <label htmlFor={id}>{texts.samplesRate}</label>
      <input
        id={id}
        type="number"
        required
        min={1}
        max={RATE_MAX}
        step={1}
        value={rate}
        onChange={({ target }) => {
          setRate(target.value);
        }}
      />
      <button type="submit" className="button small">
        {texts.keepGoing}
      </button>
    </form>
  );
}
