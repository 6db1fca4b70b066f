# ConvertTo-FilterText doubles quotation marks, as the filters of Exchange (OPATH) and Graph (OData) want them.
function ConvertTo-FilterText {
    param([string]$Text)

    $Text.Replace("'", "''")
}
