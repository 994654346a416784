// How does a person give images?
import { useRef, type ReactNode } from "react";

import type { Api } from "../../api/client";
import { useRefusal } from "../../api/useRefusal";
import { size } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { named, withoutHidden } from "./prepare";
import { UploadItem } from "./UploadItem";
import type { Uploads } from "./useUploads";
import { SAMPLE_COUNT, useSamples } from "./useSamples";
import "./upload.css";

/** Most bytes of an image that the service accepts. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

interface Props {
  readonly api: Api;
  readonly uploads: Uploads;
  /** Whether files are being dragged over the page. */
  readonly over: boolean;
  /** Whether the service is connected. */
  readonly live: boolean;
  /** Further ways to give images, each a button. */
  readonly children?: ReactNode;
}

export function UploadPanel({ api, uploads, over, live, children }: Props) {
  const texts = useTexts();
  const input = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const samples = useSamples(api, uploads.add, live);
  const refused = useRefusal(api, "submit") !== null;
  const add = ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => {
    uploads.add(withoutHidden(named(currentTarget.files ?? [])));
    // The same files may be chosen again.
    currentTarget.value = "";
  };
  return (
    <section className="panel upload" aria-labelledby="upload-title" data-over={over}>
      <header className="panel-head">
        <h2 id="upload-title">{texts.give}</h2>
      </header>
      <div className="upload-buttons">
        <button type="button" className="button primary" disabled={refused} onClick={() => input.current?.click()}>
          {texts.choose}
        </button>
        <button
          type="button"
          className="button"
          disabled={refused || samples.busy}
          onClick={() => {
            samples.send();
          }}
        >
          {texts.samples(SAMPLE_COUNT)}
        </button>
        <button type="button" className="button" disabled={refused} onClick={() => folder.current?.click()}>
          {texts.chooseFolder}
        </button>
        {children}
      </div>
      <div className="upload-items" aria-live="polite">
        {samples.error !== null && <p className="error">{samples.error}</p>}
        {uploads.pending.map((upload) => (
          <UploadItem key={upload.key} upload={upload} uploads={uploads} />
        ))}
      </div>
      {refused ? (
        <p className="upload-hint">{texts.refusedSubmit}</p>
      ) : (
        <p className="upload-hint">
          {texts.dropHint} <span>{texts.formats(size(FILE_BYTES_MAX))}</span>
        </p>
      )}
      <input
        ref={input}
        hidden
        type="file"
        multiple
        accept="image/*,.pgm,.ppm,.pnm,.pbm"
        aria-label={texts.fileInput}
        onChange={add}
      />
      <input
        ref={folder}
        hidden
        type="file"
        multiple
        aria-label={texts.folderInput}
        onChange={add}
        {...{ webkitdirectory: "" }}
      />
      {over && (
        <div className="upload-veil" aria-hidden="true">
          <span>{texts.dropNow}</span>
        </div>
      )}
    </section>
  );
}
