// How do pictures get in?
import { useRef } from "react";

import { countOf } from "../../app/format";
import { useNow } from "../../app/useNow";
import type { Sending } from "./deliver";
import type { Upload } from "./useUpload";
import { SAMPLE_COUNT, useSamples } from "./useSamples";
import type { Api } from "../../api/client";
import "./upload.css";

interface Props {
  readonly api: Api;
  readonly upload: Upload;
  /** Whether files hang over the page right now. */
  readonly over: boolean;
  /** Nothing was sent yet, so there is room to explain. */
  readonly roomy: boolean;
}

export function UploadPanel({ api, upload, over, roomy }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const samples = useSamples(api, upload.add);
  return (
    <div className="upload" data-roomy={roomy} data-over={over}>
      <p className="upload-line">
        <button type="button" className="button primary" onClick={() => input.current?.click()}>
          Choose images
        </button>
        <button type="button" className="button" disabled={samples.busy} onClick={samples.send}>
          Try {SAMPLE_COUNT} samples
        </button>
        <span className="muted">or drop images anywhere on this page</span>
      </p>
      {roomy && (
        <p className="upload-hint">
          PNG, JPEG, GIF, BMP, WebP or PGM, of any size, dark on light or light on dark. Several at once make a batch,
          and every batch gets a receipt.
        </p>
      )}
      <input
        ref={input}
        className="visually-hidden"
        type="file"
        multiple
        accept="image/*,.pgm"
        tabIndex={-1}
        aria-label="Images to classify"
        onChange={(event) => {
          upload.add([...(event.target.files ?? [])]);
          // The same files may be chosen again.
          event.target.value = "";
        }}
      />
      <div aria-live="polite">
        {samples.trouble !== null && <p className="sending">{samples.trouble}</p>}
        {upload.sendings.map((sending) => (
          <SendingLine key={sending.key} sending={sending} upload={upload} />
        ))}
      </div>
      {over && (
        <div className="upload-veil" aria-hidden="true">
          <span>Drop to classify</span>
        </div>
      )}
    </div>
  );
}

function SendingLine({ sending, upload }: { readonly sending: Sending; readonly upload: Upload }) {
  const now = useNow();
  const { phase, files } = sending;
  const what = countOf(files.length, "file");
  if (phase.name === "sending") return <p className="sending muted">Sending {what} …</p>;

  const seconds = phase.name === "waiting" ? Math.max(0, Math.ceil((phase.until - now) / 1_000)) : null;
  return (
    <div className="sending" data-phase={phase.name}>
      <p>
        <strong>
          {what} not taken{phase.name === "waiting" && " yet"}.
        </strong>{" "}
        {phase.message} {seconds !== null && <span className="numbers">Trying again in {seconds} s.</span>}
      </p>
      {phase.name === "refused" && phase.rejected.length > 0 && (
        <ul className="rejected">
          {phase.rejected.map(({ filename, error }) => (
            <li key={filename}>
              <span className="mono">{filename}</span> {error}
            </li>
          ))}
        </ul>
      )}
      <p className="sending-buttons">
        {phase.name !== "refused" && (
          <button
            type="button"
            className="button"
            onClick={() => {
              upload.retry(sending);
            }}
          >
            Try now
          </button>
        )}
        <button
          type="button"
          className="button quiet"
          onClick={() => {
            upload.dismiss(sending);
          }}
        >
          Dismiss
        </button>
      </p>
    </div>
  );
}
