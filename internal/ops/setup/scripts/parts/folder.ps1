# Find-Folder returns how Exchange's cmdlets name a default folder, in whatever language it is.
function Find-Folder {
    param([string]$Address, [string]$Type)

    $found = @(Get-MailboxFolderStatistics -Identity $Address -FolderScope $Type -ErrorAction Stop | Where-Object { [string]$_.FolderType -eq $Type })
    if ($found.Count -eq 0) {
        throw "no folder of the type $Type"
    }
    "${Address}:" + ([string]$found[0].FolderPath).Replace('/', '\')
}

# Get-Rights returns what the service user may do in a folder, or nothing. Exchange answers with an error when there is no
# entry for that user.
function Get-Rights {
    param([string]$Folder)

    $entry = Get-MailboxFolderPermission -Identity $Folder -User $ServiceUser -ErrorAction SilentlyContinue
    if ($null -ne $entry) {
        @($entry)[0].AccessRights | ForEach-Object { [string]$_ }
    }
}
