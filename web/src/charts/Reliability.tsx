/** Confidence against accuracy: on the diagonal the probabilities are true. */

import type { ReliabilityPoint } from "../api/types";
import { percent, plural } from "../logic/format";
import { wilson } from "../logic/wilson";
import { Empty } from "../ui/parts";

const SIZE = 190;

export function Reliability({ points }: { points: readonly ReliabilityPoint[] }) {
  const known = points.filter((point) => point.images > 0);
  if (!known.length) return <Empty title="Not measured">This bundle was packed without it.</Empty>;
  const most = Math.max(...known.map((point) => point.images));
  // Of two labels no answer is below one half: what is empty is not drawn.
  const least = known.every((point) => point.confidence >= 0.5) ? 0.5 : 0;
  const x = (value: number) => ((value - least) / (1 - least)) * SIZE * 1.5;
  const y = (value: number) => (1 - value) * SIZE;
  const steps = [0, 0.25, 0.5, 0.75, 1];
  const across = least ? [0, 0.2, 0.4, 0.6, 0.8, 1] : steps;
  return (
    <div>
      <svg
        viewBox={`-34 -8 ${SIZE * 1.5 + 46} ${SIZE + 42}`}
        className="mx-auto block w-full max-w-md overflow-visible"
        role="img"
        aria-label="Accuracy by confidence with 95 % intervals; the table below has the figures"
      >
        {steps.map((share) => (
          <g key={share}>
            <path d={`M0 ${y(share)}H${x(1)}`} className="stroke-line" />
            <text x={-6} y={y(share) + 3.5} textAnchor="end" className="fill-soft text-[11px]">
              {share * 100}
            </text>
          </g>
        ))}
        {across.map((share) => (
          <text
            key={share}
            x={x(least + share * (1 - least))}
            y={SIZE + 14}
            textAnchor="middle"
            className="fill-soft text-[11px]"
          >
            {Math.round((least + share * (1 - least)) * 100)}
          </text>
        ))}
        <path
          d={`M${x(least)} ${y(least)}L${x(1)} ${y(1)}`}
          className="stroke-edge"
          strokeDasharray="4 3"
        />
        {known.map((point) => {
          const [low, high] = wilson(point.accuracy, point.images);
          return (
            <g key={point.confidence}>
              <path
                d={`M${x(point.confidence)} ${y(low)}V${y(high)}`}
                strokeWidth="2"
                className="stroke-accent/35"
              />
              <circle
                cx={x(point.confidence)}
                cy={y(point.accuracy)}
                r={3 + 5 * Math.sqrt(point.images / most)}
                strokeWidth="1.5"
                className="fill-accent stroke-raised"
              >
                <title>{words(point)}</title>
              </circle>
            </g>
          );
        })}
        <text x={x(1)} y={SIZE + 30} textAnchor="end" className="fill-soft text-[11px]">
          confidence, %
        </text>
        <text x={8} y={10} className="fill-soft text-[11px]">
          right, %
        </text>
      </svg>
      <details className="mt-1 text-xs">
        <summary className="w-fit py-1.5 text-soft hover:text-ink">As a table</summary>
        <ul className="mt-1.5 grid gap-x-4 gap-y-0.5 sm:grid-cols-2">
          {known.map((point) => (
            <li key={point.confidence}>{words(point)}</li>
          ))}
        </ul>
      </details>
    </div>
  );
}

const words = ({ confidence, accuracy, images }: ReliabilityPoint) =>
  `at ${percent(confidence)}: ${percent(accuracy)} right of ${plural(images, "image")}`;
