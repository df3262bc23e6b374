// Everything the page says, in both languages.

export const WORDS = {
  en: {
    login_hint: "A token opens this page. The first one is in the data directory, in control/token.",
    token: "Token", log_in: "Log in", log_out: "Log out", kill: "Stop trading", resume: "Resume",
    equity: "Equity", candles: "Candles and our fills", positions: "Positions", orders: "Orders", fills: "Fills",
    limits: "Limits, the nearest first", denials: "Denied by our own checks", strategies: "Strategies", connections: "Connections",
    data_age: "Age of data", latency: "Latency and queues", alerts: "Alerts", other: "中文", dark: "Dark", light: "Light",
    red_up: "Red up", green_up: "Green up", overview: "Overview", risk: "Risk", health: "Health",
    connected: "connected", connecting: "connecting…", lost: "connection lost, trying again", none: "none",
    day_profit: "Day profit", invested: "Invested", cash: "Cash", fees: "Fees", counts: "Orders · fills · denied",
    working: "working", unknown: "of unknown outcome", of_equity: "of equity", not_known: "not known",
    account: "Account", instrument: "Instrument", name: "Name", quantity: "Quantity", sellable: "Sellable", average: "Average",
    price: "Price", value: "Value", profit: "Profit", held_by: "Held by", time: "Time", side: "Side", filled: "Filled",
    state: "State", strategy: "Strategy", reason: "Reason", type: "Type", fee: "Fee", code: "Code", gateway: "Gateway",
    kind: "Kind", age: "Age", waiting: "Waiting", budget: "Orders left", about: "About", text: "What",
    open: "Open", ended: "Ended", denied: "Denied", all: "All", life: "Its whole life", record: "record",
    withdraw: "Withdraw", withdrawn: "asked to withdraw", close: "Close", cancel: "Back", send: "Stop", lift: "Lift",
    kill_title: "Stop trading", scope: "What", everything: "Everything", level: "How far", why: "Why (it is journaled)",
    reduce_hint: "Only orders that make a position smaller.", halt_hint: "No new orders; what is open stays open.",
    cancel_hint: "No new orders, and everything open is withdrawn.", flatten_hint: "All is withdrawn and every position of one account is sold.",
    type_again: (id) => `Type ${id} once more`, resume_title: "Latches in force", resume_hint: "Only people lower a latch.",
    type_code: (code) => `Say it once more: type ${code}`, no_latch: "Nothing is stopped.", no_scope: (s) => `This token has no scope ${s}; the engine will refuse.`,
    stop: "Stop", stop_title: (name) => `Stop ${name}`, start: "Start", start_title: (name) => `Start ${name}`,
    start_hint: "A fresh instance begins with the state it kept and the positions it holds; orders that were withdrawn are not placed again, and a latch stays.",
    set: "Change", parameters_title: (name) => `Parameters of ${name}`,
    parameters_hint: "It is made anew with them between two events; state, positions and open orders stay. They hold until the config's own are edited.",
    orders_made: "Orders", parameters: "Parameters",
    loop_lag: "Loop lag", journal_behind: "Records not yet on disk", uptime: "Up for", queue: "Requests waiting", p50: "Send p50", p99: "Send p99",
    not_ready: "Not ready: ", stopped_by: (l) => `Trading is limited: ${l}`, no_bars: "no bars yet", last_bars: (n, t) => `${n} bars, the last ended ${t}`,
    from_to: (a, b) => `${a} to ${b}`, local_time: "Beijing time", buy: "buy", sell: "sell", stale: "stale", closed: "closed", fresh: "fresh",
    inferred: "inferred", day_started: "since", shut_out: "Your token is no longer good. Log in again.", not_priced: "no price",
    levels: ["running", "reduce only", "halted", "cancel all", "flatten"],
    reduce: "Reduce only", halt: "Halt", cancel_all: "Cancel all", flatten: "Flatten",
    intent: "Intent", denied_step: "Denied", send_step: "Sent", evidence: "Evidence", booking: "Booked", operator: "Person",
    market_data: "market data",
  },
  zh: {
    login_hint: "请输入访问令牌。首个令牌保存在数据目录的 control/token 文件中。",
    token: "令牌", log_in: "登录", log_out: "退出", kill: "停止交易", resume: "恢复",
    equity: "权益", candles: "K线与本方成交", positions: "持仓", orders: "委托", fills: "成交",
    limits: "风控限额（按接近程度）", denials: "被自身风控拒绝", strategies: "策略", connections: "连接",
    data_age: "行情时效", latency: "延迟与队列", alerts: "告警", other: "English", dark: "深色", light: "浅色",
    red_up: "红涨绿跌", green_up: "绿涨红跌", overview: "概览", risk: "风控", health: "健康",
    connected: "已连接", connecting: "连接中…", lost: "连接中断，正在重连", none: "无",
    day_profit: "当日盈亏", invested: "持仓市值", cash: "现金", fees: "费用", counts: "委托 · 成交 · 拒绝",
    working: "笔未完成", unknown: "笔结果未知", of_equity: "占权益", not_known: "未知",
    account: "账户", instrument: "标的", name: "名称", quantity: "数量", sellable: "可卖", average: "成本价",
    price: "现价", value: "市值", profit: "浮动盈亏", held_by: "归属", time: "时间", side: "方向", filled: "已成交",
    state: "状态", strategy: "策略", reason: "原因", type: "类型", fee: "费用", code: "代码", gateway: "通道",
    kind: "类别", age: "时效", waiting: "等待", budget: "剩余额度", about: "对象", text: "内容",
    open: "未完成", ended: "已结束", denied: "被拒绝", all: "全部", life: "完整生命周期", record: "记录",
    withdraw: "撤单", withdrawn: "已请求撤单", close: "关闭", cancel: "返回", send: "停止", lift: "解除",
    kill_title: "停止交易", scope: "范围", everything: "全部", level: "级别", why: "原因（写入日志）",
    reduce_hint: "只允许减仓的委托。", halt_hint: "不再发出新委托，未完成委托保留。",
    cancel_hint: "不再发出新委托，并撤销全部未完成委托。", flatten_hint: "撤销全部委托，并卖出一个账户的全部持仓。",
    type_again: (id) => `请再次输入 ${id}`, resume_title: "生效中的停止", resume_hint: "只有人可以解除停止。",
    type_code: (code) => `请再次确认：输入 ${code}`, no_latch: "当前没有任何停止。", no_scope: (s) => `此令牌没有 ${s} 权限，引擎将拒绝。`,
    stop: "停止", stop_title: (name) => `停止 ${name}`, start: "启动", start_title: (name) => `启动 ${name}`,
    start_hint: "新的实例带着已保存的状态与现有持仓开始；已撤回的委托不会重新发出，锁定保持不变。",
    set: "修改", parameters_title: (name) => `${name} 的参数`,
    parameters_hint: "在两个事件之间以新参数重新创建；状态、持仓与未完成委托保留。有效至配置文件中的参数被修改为止。",
    orders_made: "委托数", parameters: "参数",
    loop_lag: "事件循环延迟", journal_behind: "尚未落盘的记录", uptime: "已运行", queue: "等待的请求", p50: "发送 p50", p99: "发送 p99",
    not_ready: "未就绪：", stopped_by: (l) => `交易受限：${l}`, no_bars: "暂无K线", last_bars: (n, t) => `${n} 根K线，最后一根结束于 ${t}`,
    from_to: (a, b) => `${a} 至 ${b}`, local_time: "北京时间", buy: "买", sell: "卖", stale: "过期", closed: "休市", fresh: "正常",
    inferred: "推断", day_started: "起点", shut_out: "令牌已失效，请重新登录。", not_priced: "无价格",
    levels: ["运行", "只减仓", "暂停", "全撤", "清仓"],
    reduce: "只减仓", halt: "暂停", cancel_all: "全部撤单", flatten: "清仓",
    intent: "意图", denied_step: "拒绝", send_step: "发出", evidence: "证据", booking: "入账", operator: "人工",
    market_data: "行情",
  },
};

let language = localStorage.getItem("sluice.language") || ((navigator.language || "en").startsWith("zh") ? "zh" : "en");

export const spoken = () => language;

export const speak = (which) => {
  language = which;
  localStorage.setItem("sluice.language", which);
  document.documentElement.lang = which === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-word]").forEach((e) => { e.textContent = t(e.dataset.word); });
};

export const t = (key, ...values) => {
  const word = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return typeof word === "function" ? word(...values) : word;
};

// A state, side or type of the engine: its own word in English, ours in Chinese.
const TERMS = {
  running: "运行中", stopped: "已停止", starting: "启动中", waiting: "等待中", connected: "已连接", stale: "数据过期", disconnected: "已断开",
  queued: "排队", pending_new: "已报待确认", unknown: "结果未知", working: "未成交", partial: "部分成交",
  pending_cancel: "撤单中", pending_replace: "改单中", filled: "全部成交", canceled: "已撤单", rejected: "废单",
  expired: "已过期", not_placed: "未报出", denied: "被拒绝", disputed: "有争议", kept: "引擎保管",
  buy: "买入", sell: "卖出", sell_short: "融券卖出", buy_back: "买券还券", limit: "限价", market: "市价",
  simulated: "模拟", real: "实盘", demo: "演示", paper: "模拟", live: "实盘",
};

export const term = (name) => (language === "zh" ? TERMS[name] ?? String(name) : String(name).replaceAll("_", " "));
