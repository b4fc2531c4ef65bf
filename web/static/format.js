// @ts-check
// Numbers as people read them: with their unit, and a dash where a number is not known.

export const DASH = '–';
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const NBSP = '\u00a0';

/** @typedef {number|null|undefined} Maybe */

/** @param {Maybe} value @param {(known: number) => string} write */
const known = (value, write) => (value === null || value === undefined ? DASH : write(value));

/** 12345 -> "12,345" @param {Maybe} value */
export const count = (value) => known(value, (v) => grouped.format(v));

/** 1, "row" -> "1 row" @param {Maybe} value @param {string} noun */
export const counted = (value, noun) => `${count(value)}${NBSP}${noun}${value === 1 ? '' : 's'}`;

/** 0.7291 -> "72.9 %" @param {Maybe} value @param {number} [digits] */
export const percent = (value, digits = 1) => known(value, (v) => `${(100 * v).toFixed(digits)}${NBSP}%`);

/** A difference of accuracies: 0.156 -> "+15.6 points" @param {Maybe} value */
export const points = (value) => known(value, (v) => {
  const text = (100 * Math.abs(v)).toFixed(1);
  return `${text === '0.0' ? '±' : v < 0 ? '−' : '+'}${text}${NBSP}points`;
});

/** @param {Maybe} value */
export const nats = (value) => known(value, (v) => `${v.toFixed(3)}${NBSP}nats`);

/** @param {{low: number, high: number}} interval */
export const interval = ({ low, high }) => `${(100 * low).toFixed(1)} to ${percent(high)}`;

/** @param {Maybe} value */
export const pValue = (value) => known(value, (v) => (v < 0.001 ? '< 0.001' : v.toFixed(3)));

/** 65.3 -> "1 min 5 s" @param {Maybe} seconds */
export const duration = (seconds) => known(seconds, (s) => {
  if (s < 9.95) return `${s.toFixed(1)}${NBSP}s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole}${NBSP}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${NBSP}min${NBSP}${whole % 60}${NBSP}s`;
  return `${Math.floor(minutes / 60)}${NBSP}h${NBSP}${minutes % 60}${NBSP}min`;
});

/** An instant, as time gone by. @param {string|null} iso */
export function ago(iso) {
  if (!iso) return DASH;
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NBSP}min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}${NBSP}h ago`;
  return iso.slice(0, 10);
}
