// Which pods exist, where there are too many for tiles?
import { count } from "../../lib/format";
import { isFault } from "../../live/pods";
import { useTexts } from "../../text/texts";
import { KillButton } from "./KillButton";
import type { PodProps } from "./PodTile";
import { useStop } from "./useStop";

export function PodTable({ rows }: { readonly rows: readonly PodProps[] }) {
  const texts = useTexts();
  return (
    <table className="pod-table">
      <thead>
        <tr>
          <th scope="col">{texts.name}</th>
          <th scope="col">{texts.state}</th>
          <th scope="col">{texts.completed}</th>
          <th scope="col">{texts.inFlight}</th>
          <th scope="col">{texts.age}</th>
          <th scope="col">
            <span className="visually-hidden">{texts.kill}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <PodRow key={row.pod.name} {...row} />
        ))}
      </tbody>
    </table>
  );
}

function PodRow({ pod, now, api, refused, onOpen, onStopping }: PodProps) {
  const texts = useTexts();
  const control = useStop(pod, api, (mode) => {
    onStopping(pod.name, mode);
  });
  const gone = pod.phase === "gone";
  const fault = pod.ending !== null && isFault(pod.ending);
  return (
    <tr data-slot={pod.slot} data-phase={pod.phase} data-fault={fault}>
      <th scope="row">
        <button type="button" className="pod-link mono" aria-label={texts.podDetails(pod.name)} onClick={onOpen}>
          <span className="pod-dot" aria-hidden="true" />
          {pod.name}
        </button>
      </th>
      <td className="pod-phase">{control.error ?? (pod.ending ? texts.ending[pod.ending] : texts.phase[pod.phase])}</td>
      <td className="numbers">{count(pod.completed)}</td>
      <td className="numbers">{count(pod.in_flight)}</td>
      <td className="numbers">{gone ? "" : texts.ageOf(now - pod.created)}</td>
      <td>
        <KillButton name={pod.name} gone={gone} refused={refused} control={control} />
      </td>
    </tr>
  );
}
