/** The door of `7-action`. */
export * from './action.ts';
export * from './action-options.ts';
export { createVerifyExecutor, type VerifyParts } from './verify/verify-executor.ts';
export { createBlockExecutor, type BlockParts } from './block/block-executor.ts';
export { NftBlocks, type NftFailure } from './block/nft-blocks.ts';
export { type StandingBlock } from './block/block-element.ts';
export { actionId, type ActionKey } from './plan/action-id.ts';
export { planActions } from './plan/plan-actions.ts';
export type {
  OperatorOrder, OptOut, OutboxState, PastAction, PlanChannels, PlanInput, Usage,
} from './plan/plan-input.ts';
export {
  Outbox, outboxDefaults, type Forgotten, type OutboxCounts, type OutboxOptions,
} from './outbox/outbox.ts';
export type { ListedAction } from './outbox/action-rows.ts';
export type { AuditRow } from './outbox/outbox-journal.ts';
export type { AuditEvent, OutboxCount } from './outbox/outbox-tables.ts';
export { OutboxRunner, type RunnerOptions, type RunnerStep, type RunReport } from './outbox/outbox-runner.ts';
export { createMailExecutor, type MailExecutorParts } from './mail/mail-executor.ts';
export { normaliseReference, referenceOf } from './mail/reference.ts';
export { createSyslogExecutor } from './syslog/syslog-executor.ts';
export { createWebhookExecutor, type ReceiverParts } from './webhook/webhook-executor.ts';
