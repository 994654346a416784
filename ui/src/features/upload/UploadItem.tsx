// What is happening to the files of one request?
import { useNow } from "../../lib/useNow";
import { useTexts } from "../../text/texts";
import { Rejections } from "./Rejections";
import type { Upload } from "./deliver";
import type { Uploads } from "./useUploads";

/** Most characters of a file's name shown in a sentence. */
const NAME_SHOWN = 40;

export function UploadItem({ upload, uploads }: { readonly upload: Upload; readonly uploads: Uploads }) {
  const texts = useTexts();
  const now = useNow();
  const { phase, files } = upload;
  if (phase.name === "sending") return <p className="muted">{texts.sending(files.length)}</p>;

  const [only] = files;
  const what = files.length === 1 && only ? shortened(only.name) : texts.files(files.length);
  const named = phase.name === "refused" && phase.rejected.length > 0;
  return (
    <div className="upload-item" data-phase={phase.name}>
      <p>
        <strong>{texts.notAccepted(what)}.</strong>{" "}
        {/* Where every file has its own reason, the message would only repeat them. */}
        {!named && phase.message}
        {phase.name === "waiting" && (
          <span className="numbers"> {texts.retryIn(Math.max(0, Math.ceil((phase.until - now) / 1_000)))}</span>
        )}
      </p>
      {named && <Rejections rejected={phase.rejected} />}
      <p className="upload-item-buttons">
        {phase.name !== "refused" && (
          <button
            type="button"
            className="button small"
            onClick={() => {
              uploads.retry(upload);
            }}
          >
            {texts.retryNow}
          </button>
        )}
        <button
          type="button"
          className="button small quiet"
          onClick={() => {
            uploads.dismiss(upload);
          }}
        >
          {texts.dismiss}
        </button>
      </p>
    </div>
  );
}

function shortened(name: string): string {
  return name.length <= NAME_SHOWN ? name : `${name.slice(0, NAME_SHOWN)}…`;
}
