// Parses the files named as arguments by tree-sitter's grammar of PowerShell and prints what it cannot make sense of.
// It needs the npm package @vscode/tree-sitter-wasm.
const fs = require('fs');
const path = require('path');
const { Parser, Language } = require('@vscode/tree-sitter-wasm');

async function main() {
  const folder = path.dirname(require.resolve('@vscode/tree-sitter-wasm'));
  await Parser.init({ locateFile: (name) => path.join(folder, name) });
  const parser = new Parser();
  parser.setLanguage(await Language.load(path.join(folder, 'tree-sitter-powershell.wasm')));
  for (const file of process.argv.slice(2)) {
    // The grammar knows no digits in the names of parameters.
    const text = fs.readFileSync(file, 'utf8').replaceAll('-OAuth2Permission', '-OAuthPermission');
    const tree = parser.parse(text);
    if (!tree.rootNode.hasError) continue;
    process.exitCode = 1;
    report(file, tree.rootNode);
  }
}

function report(file, node) {
  if (node.isError || node.isMissing) {
    console.log(`${path.basename(file)} line ${node.startPosition.row + 1}: ${node.text.slice(0, 80).split('\n')[0]}`);
    return;
  }
  for (const child of node.children) if (child.hasError || child.isMissing) report(file, child);
}

main();
