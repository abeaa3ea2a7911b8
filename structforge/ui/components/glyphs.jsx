// Icons by name, for names that are known only at run time: a fixed set, so that the rest of the family stays out
// of the bundle.
import {
  Activity, AlarmClock, ArrowDownWideNarrow, Bell, Bot, Box, Brain, Building2, CalendarClock, ChartColumn, Check, ChevronsUpDown, CircleUser, Clock, CornerDownLeft, Code, Columns3, Combine, Copy, Database, DatabaseZap,
  Download, Flag, Radio, Siren, File, FileInput, FileOutput, FileText, Filter, FolderInput, FormInput, GitBranch, GitFork, GitMerge, Globe, Hash, Hourglass, Image, Keyboard, Layers,
  Link, ListFilter, LogOut, Mail, GitCompare, Merge, MessageSquare, OctagonX, Pause, Pencil, Play, Plus, Repeat, Reply, RotateCcw, Rows3, Search, Send, Shuffle, Sigma, Signpost, Sparkles, Split, SunMoon,
  Table, Terminal, Timer, Trash2, Upload, UserCheck, Users, Variable, Webhook, Workflow, Wrench,
  Square,
} from "lucide-react";

const GLYPHS = {
  activity: Activity, "alarm-clock": AlarmClock, "corner-down-left": CornerDownLeft, "git-fork": GitFork,
  hourglass: Hourglass, "octagon-x": OctagonX, reply: Reply, signpost: Signpost, "user-check": UserCheck, "arrow-down-wide-narrow": ArrowDownWideNarrow, bell: Bell, bot: Bot, box: Box, brain: Brain, building: Building2, check: Check,
  "chevrons-up-down": ChevronsUpDown, "circle-user": CircleUser,
  "calendar-clock": CalendarClock, "chart-column": ChartColumn, clock: Clock, code: Code, "columns-3": Columns3, combine: Combine, copy: Copy,
  database: Database, "database-zap": DatabaseZap, download: Download, file: File, "file-input": FileInput, "file-output": FileOutput, "file-text": FileText,
  filter: Filter, "folder-input": FolderInput, form: FormInput, "git-branch": GitBranch, "git-compare": GitCompare, "git-merge": GitMerge, globe: Globe, hash: Hash, image: Image, keyboard: Keyboard,
  layers: Layers, link: Link, "list-filter": ListFilter, "log-out": LogOut, mail: Mail, merge: Merge, "message-square": MessageSquare, pause: Pause,
  pencil: Pencil, play: Play, plus: Plus, repeat: Repeat, "rotate-ccw": RotateCcw, "rows-3": Rows3, search: Search, send: Send, shuffle: Shuffle, sigma: Sigma,
  sparkles: Sparkles, split: Split, "sun-moon": SunMoon, table: Table, terminal: Terminal, timer: Timer, "trash-2": Trash2, upload: Upload, users: Users, variable: Variable,
  square: Square, flag: Flag, radio: Radio, siren: Siren, webhook: Webhook, workflow: Workflow, wrench: Wrench,
};

export function Glyph({ name, size = 16 }) {
  const Icon = GLYPHS[name] ?? Box;
  return <Icon size={size} aria-hidden="true" />;
}
