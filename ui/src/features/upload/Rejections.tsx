// Which files were refused, and why each?
import type { Rejection } from "../../api/types";
import { withSizes } from "../../lib/format";
import { useTexts } from "../../text/texts";

/** Most files listed; the others are counted. */
const LISTED = 50;

export function Rejections({ rejected }: { readonly rejected: readonly Rejection[] }) {
  const texts = useTexts();
  return (
    <ul className="rejected">
      {rejected.slice(0, LISTED).map(({ filename, error }) => (
        <li key={filename}>
          <span className="mono">{filename}</span> {withSizes(error)}
        </li>
      ))}
      {rejected.length > LISTED && <li className="muted">{texts.andMore(rejected.length - LISTED)}</li>}
    </ul>
  );
}
