// Numbers and times for people. Money comes as text and is never turned into a float to be shown.

export const money = (text, digits = 2) => {
  if (text === null || text === undefined) return "–";
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(String(text)) || [];
  if (whole === undefined) return String(text);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${sign}${grouped}${digits ? `.${part.padEnd(digits, "0").slice(0, digits)}` : ""}`;
};

export const signed = (text) => (text !== null && text !== undefined && Number(text) > 0 ? "+" : "") + money(text);

export const price = (value) => {
  if (value === null || value === undefined) return "–";
  const number = Number(value), size = Math.abs(number);
  const digits = size >= 100_000 ? 0 : 2;
  return number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: size >= 10 ? digits : 4 });
};

export const whole = (value) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en-US"));

export const percent = (part) => (Number.isFinite(part) ? `${(part * 100).toFixed(2)}%` : "–");

export const tone = (value) => (Number(value) > 0 ? "up" : Number(value) < 0 ? "down" : "");

// Exchanges of the mainland and Hong Kong keep the same time, and so does the page, wherever its reader is.
const zone = { timeZone: "Asia/Shanghai", hour12: false };
const CLOCK = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit" });

export const clock = (ms) => CLOCK.format(new Date(ms));
export const day = (ms) => DAY.format(new Date(ms));
export const full = (ms) => `${day(ms)} ${clock(ms)}`;
export const when = (moment) => (moment ? clock(Date.parse(moment.time)) : "–");
export const whenExactly = (moment) => (moment ? `${full(Date.parse(moment.time))}.${moment.time.slice(20, 26)}` : "–");

export const age = (ms) => {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 120) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
};
