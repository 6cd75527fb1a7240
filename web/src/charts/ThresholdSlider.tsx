/** The curves by threshold with the handle that moves along them. */

import type { CurvePoint } from "../api/types";
import { at } from "../logic/curve";
import { percent } from "../logic/format";
import { AXIS, END, ThresholdChart } from "./ThresholdChart";

interface Props {
  id?: string;
  label?: string;
  curve: readonly CurvePoint[];
  value: number;
  own: number | null;
  width?: number;
  height?: number;
  onChange: (value: number) => void;
}

/** Half of the handle's width, pixels. */
const HALF = 8;

export function ThresholdSlider({
  id,
  label,
  curve,
  value,
  own,
  width = 250,
  height = 76,
  onChange,
}: Props) {
  const { precision, recall } = at(curve, value);
  const drawn = curve.length > 0;
  const part = (side: number) => `calc(${(side / (AXIS + width + END)) * 100}% - ${HALF}px)`;
  return (
    <>
      {drawn && (
        <ThresholdChart curve={curve} value={value} own={own} width={width} height={height} />
      )}
      <div style={drawn ? { paddingLeft: part(AXIS), paddingRight: part(END) } : {}}>
        <input
          id={id}
          type="range"
          min={0}
          max={1}
          step={0.005}
          value={value}
          aria-label={label}
          aria-valuetext={`${percent(value)}: precision ${percent(precision)}, recall ${percent(recall)}`}
          onChange={(event) => onChange(event.target.valueAsNumber)}
          className="slider block"
        />
      </div>
    </>
  );
}
