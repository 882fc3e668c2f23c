/** `natlens lab describe` and `natlens lab query`: what is in a data set, as a card or as an answer to SQL. */
import type { Command } from 'commander';
import { formatCount, formatTable, OperatorError } from '#base';
import { openTarget, standardOutput } from '#flow/files';
import { describeDataset, formatCard, queryDataset, readDataset, renderCard } from '#lab';

type DescribeOptions = { readonly output?: string; readonly json?: boolean };

/** Gives the verb its options and its action. */
export function configureLabDescribe(command: Command): void {
  command
    .description('Reads a data set whole, checks it for leaks, and writes its card: where it is from, how it was made, ' +
      'device models, devices, parts, what was left out. As Markdown on standard output, or to a file.')
    .argument('<dataset>', 'folder that natlens lab build wrote')
    .option('-o, --output <file>', 'write the card to FILE (.md, or .html with plots; - for standard output)', parseOutput)
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', '\nExamples:\n  natlens lab describe lab\n  natlens lab describe lab -o card.html\n')
    .action(async (folder: string, { output, json }: DescribeOptions) => {
      const { description, timelines } = await describeDataset(await readDataset(folder));
      if (output !== undefined && output !== standardOutput) {
        const isHtml = output.toLowerCase().endsWith('.html');
        await writeText(output, isHtml ? renderCard(description, timelines) : `${formatCard(description)}\n`);
      }
      if (json === true) process.stdout.write(`${JSON.stringify(description, null, 2)}\n`);
      else if (output === undefined || output === standardOutput) process.stdout.write(`${formatCard(description)}\n`);
      else process.stdout.write(`written to ${output}\n`);
    });
}

function parseOutput(text: string): string {
  if (text === standardOutput || /\.(?:md|html)$/i.test(text)) return text;
  throw new OperatorError('output-unknown-kind', `The card ${text} ends in .md or .html, or is - for standard output.`);
}

async function writeText(path: string, text: string): Promise<void> {
  const target = await openTarget(path);
  try {
    await target.write(new TextEncoder().encode(text));
    await target.finish();
  } catch (thrown) {
    await target.abandon();
    throw thrown;
  }
}

/** Gives the verb its options and its action. */
export function configureLabQuery(command: Command): void {
  command
    .description('Answers a query in DuckDB\'s SQL about a data set: the table flows has the columns of natlens flows, the ' +
      'table devices those of the manifest.')
    .argument('<dataset>', 'folder that natlens lab build wrote')
    .argument('<sql>', 'the query')
    .option('--json', 'print the answer as JSON, one object a row')
    .addHelpText('after', '\nExample:\n' +
      '  natlens lab query lab "select device_model, partition, count(*) as n from flows group by all order by all"\n')
    .action(async (folder: string, sql: string, { json }: { json?: boolean }) => {
      const { columns, rows } = await queryDataset(await readDataset(folder), sql);
      if (json === true) {
        const objects = rows.map((row) => Object.fromEntries(row.map((value, i) => [columns[i], value])));
        process.stdout.write(`${JSON.stringify(objects, null, 2)}\n`);
        return;
      }
      const texts = rows.map((row) => row.map((value) => (value === null ? '' : String(value))));
      process.stdout.write(`${formatTable(columns, texts)}\n${formatCount(rows.length)} rows\n`);
    });
}
