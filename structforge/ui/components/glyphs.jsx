// Icons by name, for names that are known only at run time: a fixed set, so that the rest of the family stays out
// of the bundle.
import {
  Activity, ArrowDownWideNarrow, Bell, Bot, Box, Brain, CalendarClock, ChartColumn, Clock, Code, Columns3, Combine, Database,
  Download, File, FileInput, FileOutput, FileText, Filter, FormInput, GitBranch, GitMerge, Globe, Hash, Image, Layers,
  Link, ListFilter, Mail, Merge, MessageSquare, Pause, Pencil, Play, Repeat, Rows3, Search, Send, Shuffle, Sigma, Sparkles, Split,
  Table, Terminal, Timer, Upload, Variable, Webhook, Workflow, Wrench,
} from "lucide-react";

const GLYPHS = {
  activity: Activity, "arrow-down-wide-narrow": ArrowDownWideNarrow, bell: Bell, bot: Bot, box: Box, brain: Brain,
  "calendar-clock": CalendarClock, "chart-column": ChartColumn, clock: Clock, code: Code, "columns-3": Columns3, combine: Combine,
  database: Database, download: Download, file: File, "file-input": FileInput, "file-output": FileOutput, "file-text": FileText,
  filter: Filter, form: FormInput, "git-branch": GitBranch, "git-merge": GitMerge, globe: Globe, hash: Hash, image: Image,
  layers: Layers, link: Link, "list-filter": ListFilter, mail: Mail, merge: Merge, "message-square": MessageSquare, pause: Pause,
  pencil: Pencil, play: Play, repeat: Repeat, "rows-3": Rows3, search: Search, send: Send, shuffle: Shuffle, sigma: Sigma,
  sparkles: Sparkles, split: Split, table: Table, terminal: Terminal, timer: Timer, upload: Upload, variable: Variable,
  webhook: Webhook, workflow: Workflow, wrench: Wrench,
};

export function Glyph({ name, size = 16 }) {
  const Icon = GLYPHS[name] ?? Box;
  return <Icon size={size} aria-hidden="true" />;
}
