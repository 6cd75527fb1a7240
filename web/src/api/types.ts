/** What the service says; the source is /openapi.json. */

export type Probabilities = Record<string, number>;

export interface Answer {
  id?: string | null;
  filename: string;
  label: string;
  probability: number;
  sure: boolean;
  probabilities: Probabilities;
}

export interface TaskAnswer {
  task: string;
  model_version: number;
  predictions: Answer[];
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface FoundCar {
  box: Box;
  score: number;
  answers: Record<string, { label: string; probability: number; sure: boolean }>;
}

export interface Scene {
  filename: string;
  width: number;
  height: number;
  cars: FoundCar[];
}

export interface Inspection {
  unknown: string[];
  scenes: Scene[];
}

export interface TaskInfo {
  task: string;
  model_version: number;
  kind: string;
  labels: string[];
  searches: boolean;
  engine: string;
  threshold: number | null;
  sure?: number;
  limits: { max_bytes?: number; max_pixels?: number };
}

export interface Info {
  service: string;
  version: string;
  limits: {
    max_bytes?: number;
    max_files?: number;
    max_scenes?: number;
    urls?: boolean;
    feedback?: boolean;
  };
  tasks: Record<string, TaskInfo>;
}

export interface Figure {
  value: number;
  low?: number | null;
  high?: number | null;
}

export interface CurvePoint {
  threshold: number;
  precision: number | null;
  recall: number | null;
}

export interface ReliabilityPoint {
  confidence: number;
  accuracy: number;
  images: number;
}

export interface Decision {
  at: string;
  decision: string;
  version: number | null;
  reason: string;
}

export interface Confusion {
  labels: string[];
  counts: number[][];
}

export interface Model {
  version: number;
  kind: string;
  labels: string[];
  engine: string;
  figures: Record<string, Figure>;
  curve: CurvePoint[];
  threshold: number | null;
  confusion: Confusion | null;
  reliability: ReliabilityPoint[];
  history: Decision[];
  live: {
    requests?: number | null;
    latency?: { p50?: number | null; p99?: number | null } | null;
    drift?: Record<string, number> | null;
  };
  links: { mlflow?: string | null; report?: string | null };
}

export interface Models {
  tasks: Record<string, Model>;
}

export interface FeedbackReceipt {
  id: string;
  task: string;
  label: string;
  known: boolean;
}
