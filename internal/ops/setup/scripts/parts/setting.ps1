function Format-Setting {
    param($Value)

    if ($null -eq $Value) {
        'not set'
    }
    else {
        [string]$Value
    }
}
