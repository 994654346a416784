// What does the timeline show, in tables?
import type { Job } from "../../api/types";
import { count, span } from "../../lib/format";
import { useTexts } from "../../text/texts";
import { attemptsOf, type Attempt } from "./attempts";
import type { Timeline } from "./layout";

/** Most images listed, the redelivered ones first. */
const IMAGES_MAX = 100;

interface Props {
  readonly timeline: Timeline;
  readonly jobs: readonly Job[];
}

export function Facts({ timeline, jobs }: Props) {
  const texts = useTexts();
  const shown = jobs.toSorted((a, b) => b.attempts - a.attempts).slice(0, IMAGES_MAX);
  const after = (at: number) => span(Math.max(0, at - timeline.from));
  return (
    <>
      <table className="timeline-table numbers">
        <caption>{texts.timelinePods}</caption>
        <thead>
          <tr>
            <th scope="col">{texts.pod}</th>
            <th scope="col">{texts.completed}</th>
            <th scope="col">{texts.timelineLost}</th>
            <th scope="col">{texts.timelineEnd}</th>
          </tr>
        </thead>
        <tbody>
          {timeline.lanes.map(({ pod, done, marks, blocks }) => (
            <tr key={pod ?? ""}>
              <th scope="row">{pod ?? texts.timelineQueue}</th>
              <td>{count(done)}</td>
              <td>{count(marks.reduce((sum, { images }) => sum + images, 0))}</td>
              <td>
                {marks.map(({ at, cause }) => texts.timelineEnded(cause, after(at))).join(", ")}
                {pod === null && texts.files(blocks.length)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <table className="timeline-table numbers">
        <caption>{texts.timelineImages(shown.length, jobs.length)}</caption>
        <thead>
          <tr>
            <th scope="col">{texts.name}</th>
            <th scope="col">{texts.queued}</th>
            <th scope="col">{texts.attempts}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((job) => {
            const attempts = attemptsOf(job, timeline.to);
            const [first] = attempts;
            return (
              <tr key={job.id}>
                <th scope="row">{job.filename}</th>
                <td>{first ? span(first.from - first.waits) : "–"}</td>
                <td>{attempts.map((attempt) => written(attempt, after, texts)).join("; ")}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function written(attempt: Attempt, after: (at: number) => string, texts: ReturnType<typeof useTexts>): string {
  const { pod, from, to, end } = attempt;
  if (pod === null) return texts.timelineEnds[end];
  return `${pod}, ${after(from)} – ${after(to)}, ${texts.timelineEnds[end]}`;
}
