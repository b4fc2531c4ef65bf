// Numbers as people read them: with their unit, and a dash where a number is not known.

export const DASH = '–';
const NBSP = '\u00a0';
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** @param {(known: any) => string} write @returns {(value: any) => string} */
const known = (write) => (value) => (value === null || value === undefined ? DASH : write(value));

export const text = String;
export const yes = (is) => (is ? 'yes' : 'no');
export const spaced = (names) => [names].flat().join(', ').replaceAll('_', ' '); // ["text_prompts"] -> "text prompts"
export const listed = (parts) => parts.join('; ') || DASH;
export const sentence = (name) => spaced(name).replace(/^./, (first) => first.toUpperCase()); // "not_measured" -> "Not measured"
export const measure = (name) => JSON.parse(document.body.dataset.measures ?? '{}')[name] ?? spaced(name); // "rouge_l" -> "ROUGE-L"
export const measured = (name) => sentence(measure(name));
export const money = known((sum) => { // 12.3456 -> "12.35", 0.0012345 -> "0.00123"
  const digits = sum > 0 ? Math.max(2, 2 - Math.floor(Math.log10(sum))) : 2;
  return sum.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
});
export const number = known((n) => String(Number(n.toPrecision(3))));
export const clock = known((iso) => new Date(iso).toLocaleTimeString('en-GB')); // "14:05:10", in the reader's time zone
export const moment = known((iso) => new Date(iso).toLocaleString('sv-SE')); // "2026-11-21 14:05:10"
export const count = known((n) => grouped.format(n)); // 12345 -> "12,345"
export const percent = known((share) => `${(100 * share).toFixed(1)}${NBSP}%`); // 0.7291 -> "72.9 %"
export const loss = known((value) => value.toFixed(3));
export const speed = known((n) => `${count(n)}${NBSP}queries/s`);
export const pValue = known((p) => (p < 0.001 ? '< 0.001' : String(Number(p.toPrecision(2)))));

/** 1, "row" -> "1 row" @param {number} n @param {string} noun */
export const counted = (n, noun) => `${count(n)}${NBSP}${noun}${n === 1 ? '' : 's'}`;

/** Of 10⁶ tokens: "0.1 read, 0.4 written (USD)"; null where none is known. @param {any} options of an endpoint */
export function price({ input_price: read, output_price: written, currency = 'USD' }) {
  const known = [[read, 'read'], [written, 'written']].filter(([sum]) => typeof sum === 'number').map((pair) => pair.join(' '));
  return known.length ? `${known.join(', ')} (${currency})` : null;
}

/** @param {{low: number, high: number}} bounds */
export const interval = ({ low, high }) => `${(100 * low).toFixed(1)} to ${percent(high)}`;

// a difference of accuracies: 0.156 -> "+15.6 points"
export const points = known((difference) => {
  const size = (100 * Math.abs(difference)).toFixed(1);
  return `${size === '0.0' ? '±' : difference < 0 ? '−' : '+'}${size}${NBSP}points`;
});

// 65.3 -> "1 min 5 s"
export const duration = known((seconds) => {
  if (seconds < 9.95) return `${seconds.toFixed(1)}${NBSP}s`;
  const [minutes, rest] = [Math.floor(Math.round(seconds) / 60), Math.round(seconds) % 60];
  if (minutes < 1) return `${rest}${NBSP}s`;
  if (minutes < 60) return `${minutes}${NBSP}min${NBSP}${rest}${NBSP}s`;
  return `${Math.floor(minutes / 60)}${NBSP}h${NBSP}${minutes % 60}${NBSP}min`;
});

/** An instant, as time gone by. @param {string|null} iso */
export function ago(iso) {
  if (!iso) return DASH;
  const minutes = (Date.now() - Date.parse(iso)) / 60000;
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${Math.floor(minutes)}${NBSP}min ago`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)}${NBSP}h ago` : iso.slice(0, 10);
}
