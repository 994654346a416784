// How does a person send images?
import { useRef } from "react";

import { countOf } from "../../lib/format";
import { useNow } from "../../lib/useNow";
import type { Upload } from "./deliver";
import type { Uploads } from "./useUploads";
import { SAMPLE_COUNT, useSamples } from "./useSamples";
import type { Api } from "../../api/client";
import "./upload.css";

interface Props {
  readonly api: Api;
  readonly uploads: Uploads;
  /** Whether files are being dragged over the page. */
  readonly over: boolean;
  /** Whether there is room for an explanation: nothing has been sent yet. */
  readonly roomy: boolean;
}

export function UploadPanel({ api, uploads, over, roomy }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const samples = useSamples(api, uploads.add);
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
          uploads.add([...(event.target.files ?? [])]);
          // The same files may be chosen again.
          event.target.value = "";
        }}
      />
      <div aria-live="polite">
        {samples.error !== null && <p className="upload-item">{samples.error}</p>}
        {uploads.pending.map((upload) => (
          <UploadLine key={upload.key} upload={upload} uploads={uploads} />
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

function UploadLine({ upload, uploads }: { readonly upload: Upload; readonly uploads: Uploads }) {
  const now = useNow();
  const { phase, files } = upload;
  const what = countOf(files.length, "file");
  if (phase.name === "sending") return <p className="upload-item muted">Sending {what} …</p>;

  const seconds = phase.name === "waiting" ? Math.max(0, Math.ceil((phase.until - now) / 1_000)) : null;
  return (
    <div className="upload-item" data-phase={phase.name}>
      <p>
        <strong>
          {what} not accepted{phase.name === "waiting" && " yet"}.
        </strong>{" "}
        {phase.message} {seconds !== null && <span className="numbers">Retrying in {seconds} s.</span>}
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
      <p className="upload-item-buttons">
        {phase.name !== "refused" && (
          <button
            type="button"
            className="button"
            onClick={() => {
              uploads.retry(upload);
            }}
          >
            Try now
          </button>
        )}
        <button
          type="button"
          className="button quiet"
          onClick={() => {
            uploads.dismiss(upload);
          }}
        >
          Dismiss
        </button>
      </p>
    </div>
  );
}
